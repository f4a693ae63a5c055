"""Changing the rules of an integration's syncs."""

from collections.abc import Mapping
from typing import Any

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.policy import SyncPolicy, checked_policy


def change_policy(store: Store, ref: IntegrationRef, changes: Mapping[str, Any]) -> SyncPolicy:
    """Change the rules that are named; the others stay. None sets one back to its default.

    Raises:
        RequestError: an unknown rule or resource, or a value that a rule can't have.
    """
    with store.tenant(ref.tenant_id) as session:
        row = session.get_one(Integration, (ref.tenant_id, ref.id), with_for_update=True)
        whole = {**row.policy, **changes}
        rules = checked_policy({name: value for name, value in whole.items() if value is not None})
        _check_resources(ref, rules)
        row.policy = rules.model_dump(mode="json", exclude_defaults=True)
    return rules


def _check_resources(ref: IntegrationRef, rules: SyncPolicy) -> None:
    known = ref.connector.resource_names
    named = dict.fromkeys((*rules.owners, *rules.external_ids))
    if unknown := [name for name in named if name not in known]:
        raise RequestError(
            f"{ref.key}: {ref.connector.label} has no resource {', '.join(unknown)}.",
            action=f"Known: {', '.join(known)}.",
        )
