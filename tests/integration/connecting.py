"""The end of the authorization-code flow."""

from integrations_pipeline.oauth import exchange_code_for_token
from tests.conftest import SESSION


def finish(store, state, code, session_id=SESSION):
    return exchange_code_for_token(store, state=state, code=code, session_id=session_id)
