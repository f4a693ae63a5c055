"""Field mappings: from a record's fields to columns of `custom`, or to a service's fields."""

from integrations_pipeline.sync.mapping.mapper import FieldMapper, mapper_of
from integrations_pipeline.sync.mapping.remapping import remap_if_changed
from integrations_pipeline.sync.mapping.saving import (
    list_mappings,
    remove_mapping,
    save_mapping,
)
from integrations_pipeline.sync.mapping.specs import MappingSpec, checked_mapping

__all__ = [
    "FieldMapper",
    "MappingSpec",
    "checked_mapping",
    "list_mappings",
    "mapper_of",
    "remap_if_changed",
    "remove_mapping",
    "save_mapping",
]
