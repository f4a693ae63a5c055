"""Dagster resources: the database, connected accounts, and records as DataFrames."""

from resources.accounts import AccountsResource
from resources.database import DatabaseResource
from resources.records import RecordsResource

__all__ = ["AccountsResource", "DatabaseResource", "RecordsResource"]
