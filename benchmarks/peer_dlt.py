"""dlt on the same pages, in three ways. Runs in `.venv-peers`, not in ours.

`dlt_default` is what its documentation shows first: `rest_api` to Postgres with a merge.
`dlt_best` is the same with its fastest settings: Parquet, copied by ADBC.
`dlt_arrow` is more than settings: code of our own makes Arrow tables of the pages behind
`rest_api`; they are copied from several files side by side, and upserted.
All read changes by dlt's own incremental cursor.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measuring import Task

SEVERAL_FILES = {"DATA_WRITER__FILE_MAX_ITEMS": "25000"}
USED = ("dlt.destinations.impl.postgres.postgres",)
USED_FOR_PARQUET = (*USED, "dlt.common.libs.pyarrow", "adbc_driver_manager.dbapi")


def ready(task: Task) -> Callable[[], object]:
    """What is measured: one run of the pipeline."""
    parquet, arrow = task.subject != "dlt_default", task.subject == "dlt_arrow"
    home = Path(task.folder) / "dlt" / task.name
    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(home)})
    os.environ.update({"RUNTIME__LOG_LEVEL": "ERROR", **(SEVERAL_FILES if arrow else {})})
    import dlt
    from dlt.destinations import postgres

    for name in USED_FOR_PARQUET if parquet else USED:
        import_module(name)  # else the first run would be charged for it
    pipeline = dlt.pipeline(
        "bench",
        destination=postgres(credentials=task.database),
        dataset_name=task.subject,
        pipelines_dir=str(home),
    )
    source = _arrow(task.url) if arrow else _source(task.url, "customers")
    form = {"loader_file_format": "parquet"} if parquet else {}
    return lambda: pipeline.run(source, **form)


def _source(url: str, name: str) -> Any:
    """The `rest_api` source."""
    from dlt.sources.rest_api import rest_api_source

    cursor = {"cursor_path": "updated", "start_param": "updated_since", "initial_value": 0}
    resource = {
        "name": name,
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {
            "path": "v1/customers",
            "params": {"limit": 1000},
            "data_selector": "data",
            "incremental": cursor,
        },
    }
    paginator = {"type": "cursor", "cursor_path": "next", "cursor_param": "starting_after"}
    client = {"base_url": url, "paginator": paginator}
    return rest_api_source({"client": client, "resources": [resource]})


def _arrow(url: str) -> Any:
    """The pages of the source as Arrow tables, with the columns that dlt makes of the records."""
    import dlt

    pages = _source(url, "pages").resources["pages"]
    pages.selected = False
    return pages | dlt.transformer(
        _tables,
        name="customers",
        primary_key="id",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
    )


def _tables(page: list[dict[str, Any]]) -> Iterator[Any]:
    import pyarrow as pa

    for row in page:
        row.pop("metadata")  # empty: dlt makes no column of it
        row["invoice_settings__footer"] = row.pop("invoice_settings")["footer"]
    yield pa.Table.from_pylist(page)
