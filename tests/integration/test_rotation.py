"""Keys are rotated: only sealed values change, and what does not open is named and left."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from integrations_pipeline.store import Store
from integrations_pipeline.store.rotation import rotate
from tests.integration import rotated_store
from tests.integration.rotated_store import check_all, fill, keys_of, rotated, run, under
from tests.integration.support import one_row, owner, run_sql

hasty, mine = rotated_store.hasty, rotated_store.mine


def test_only_sealed_columns_change(mine, hasty) -> None:
    fill(mine, 300)
    kept = (
        "SELECT md5(string_agg(concat(version, obtained_at, scopes), ',' ORDER BY integration_id)"
    )
    kept = f"{kept}), sum(version) FROM integrations.oauth_token"
    before, (old,) = one_row(mine, kept), keys_of(mine)

    report = rotated(mine)

    assert (report.resumed, report.rows, report.deleted, report.left) == (False, 1200, 1, ())
    assert keys_of(mine) == [report.key_id] != [old]
    assert one_row(mine, kept) == before
    assert check_all(mine) == 4 * 300 + 200


def test_progress_goes_up_to_all(mine, hasty) -> None:
    fill(mine, 250)
    told: list[tuple[int, int]] = []

    rotate(mine, lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, 1000), (1000, 1000))


def test_an_empty_database_gets_a_new_key(mine, hasty) -> None:
    (old,) = keys_of(mine)

    assert rotated(mine).deleted == 1
    assert keys_of(mine) != [old]


MOVES = {
    "row": "UPDATE integrations.oauth_token a SET access_token = b.access_token "
    "FROM integrations.oauth_token b, integrations.integration i, integrations.integration j "
    "WHERE a.integration_id = i.id AND b.integration_id = j.id "
    "AND i.slug = 'i0' AND j.slug = 'i2'",
    "tenant": "UPDATE integrations.oauth_token a SET access_token = b.access_token "
    "FROM integrations.oauth_token b, integrations.integration i, integrations.integration j "
    "WHERE a.integration_id = i.id AND b.integration_id = j.id "
    "AND i.slug = 'i0' AND j.slug = 'i1'",
    "column": "UPDATE integrations.oauth_token a SET access_token = i.client_secret "
    "FROM integrations.integration i WHERE a.integration_id = i.id AND i.slug = 'i0'",
    "junk": "UPDATE integrations.oauth_token a SET access_token = 'short' "
    "FROM integrations.integration i WHERE a.integration_id = i.id AND i.slug = 'i0'",
}
MOVED = (
    "SELECT t.access_token FROM integrations.oauth_token t "
    "JOIN integrations.integration i ON i.id = t.integration_id WHERE i.slug = 'i0'"
)


@pytest.mark.parametrize("move", MOVES)
def test_a_moved_value_is_named_and_left_and_the_old_key_stays(mine, move) -> None:
    fill(mine, 10)
    run_sql(mine, MOVES[move])
    moved, (old,) = bytes(one_row(mine, MOVED)[0]), keys_of(mine)

    done = run(mine, "keys", "rotate")
    again = run(mine, "keys", "rotate")

    assert (done.returncode, again.returncode) == (1, 1)
    assert "t--i0: oauth_token.access_token" in done.stderr
    assert done.stderr.count("t--i") == 1
    assert "39 rows" in done.stdout
    assert bytes(one_row(mine, MOVED)[0]) == moved
    assert len(keys_of(mine)) == 2
    assert keys_of(mine)[0] == old
    assert under(mine, "integration", "client_secret", keys_of(mine)[1]) == 10


def test_after_the_account_is_connected_again_the_old_key_goes(mine, hasty) -> None:
    fill(mine, 10)
    run_sql(mine, MOVES["tenant"])
    assert rotated(mine).left == ("t--i0: oauth_token.access_token",)
    run_sql(mine, "DELETE FROM integrations.integration WHERE slug = 'i0'")

    report = rotated(mine)

    assert (report.resumed, report.deleted, report.left) == (True, 1, ())


def test_the_application_may_not_touch_keys(mine) -> None:
    for sql in ("DELETE FROM integrations.data_key", "UPDATE integrations.data_key SET id = id"):
        with pytest.raises(Exception, match="permission denied"), mine.system() as session:
            session.execute(text(sql))


def test_an_owner_without_further_rights_can_rotate(mine, fresh, hasty) -> None:
    fill(mine, 30)
    name = f"owner_{uuid4().hex}"
    database = mine.url.database
    run_sql(mine, f"CREATE ROLE {name} LOGIN CREATEROLE")
    run_sql(mine, f"GRANT integrations_app TO {name} WITH ADMIN OPTION")
    run_sql(mine, f"ALTER DATABASE {database} OWNER TO {name}")
    with owner(mine) as connection:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'integrations'"
        for table in list(connection.scalars(text(sql))):
            connection.exec_driver_sql(f"ALTER TABLE integrations.{table} OWNER TO {name}")
        connection.exec_driver_sql(f"ALTER SCHEMA integrations OWNER TO {name}")
    theirs = Store(mine.url.set(username=name), mine.settings, mine.keyring)

    report = rotated(theirs)

    theirs.close()
    assert (report.rows, report.deleted, report.left) == (120, 1, ())
    check_all(mine)
    run_sql(mine, f"REASSIGN OWNED BY {name} TO CURRENT_USER")
    run_sql(mine, f"DROP OWNED BY {name}")
    run_sql(mine, f"DROP ROLE {name}")
