"""The properties of each HubSpot object type, with their types and options."""

from dataclasses import dataclass

TYPES = ("contacts", "companies", "deals", "tickets")
OBJECT_TYPE_IDS = {"0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-5": "tickets"}

LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")
INDUSTRIES = ("RETAIL", "COMPUTER_SOFTWARE", "LOGISTICS_AND_SUPPLY_CHAIN", "RENEWABLES_ENVIRONMENT")
DEAL_STAGES = ("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost")
TICKET_STAGES = ("1", "2", "3", "4")
PRIORITIES = ("LOW", "MEDIUM", "HIGH")


@dataclass(frozen=True)
class Property:
    """One property as the metadata endpoint describes it."""

    name: str
    type: str = "string"
    field: str = "text"
    options: tuple[str, ...] = ()
    unique: bool = False

    @property
    def read_only(self) -> bool:
        return self.name.startswith("hs_object") or self.name.endswith("lastmodifieddate")

    def described(self) -> dict[str, object]:
        options = [
            {"label": option.capitalize(), "value": option, "displayOrder": place, "hidden": False}
            for place, option in enumerate(self.options)
        ]
        return {
            "name": self.name,
            "label": self.name.removeprefix("hs_").replace("_", " ").capitalize(),
            "type": self.type,
            "fieldType": self.field,
            "description": "",
            "groupName": "information",
            "options": options,
            "calculated": False,
            "hasUniqueValue": self.unique,
            "hidden": False,
            "archived": False,
            "modificationMetadata": {
                "archivable": False,
                "readOnlyDefinition": True,
                "readOnlyValue": self.read_only,
            },
        }


def _datetime(name: str) -> Property:
    return Property(name, "datetime", "date")


def _number(name: str) -> Property:
    return Property(name, "number", "number")


def _choice(name: str, *options: str) -> Property:
    return Property(name, "enumeration", "select", options)


_EVERYWHERE = (
    Property("hs_object_id", "number", "number"),
    _datetime("createdate"),
    _datetime("hs_lastmodifieddate"),
    _choice("hubspot_owner_id"),
)

DEFINITIONS: dict[str, tuple[Property, ...]] = {
    "contacts": (
        *_EVERYWHERE,
        _datetime("lastmodifieddate"),
        Property("email", unique=True),
        Property("firstname"),
        Property("lastname"),
        Property("phone", "phone_number", "phonenumber"),
        Property("jobtitle"),
        Property("company"),
        Property("city"),
        _choice("lifecyclestage", *LIFECYCLE),
        Property("hs_email_optout", "bool", "booleancheckbox", ("true", "false")),
        Property("date_of_birth", "date", "date"),
        Property("message", field="textarea"),
    ),
    "companies": (
        *_EVERYWHERE,
        Property("name"),
        Property("domain"),
        Property("city"),
        _choice("industry", *INDUSTRIES),
        _number("annualrevenue"),
        _number("numberofemployees"),
        Property("description", field="textarea"),
    ),
    "deals": (
        *_EVERYWHERE,
        Property("dealname"),
        _number("amount"),
        _choice("dealstage", *DEAL_STAGES),
        _choice("pipeline", "default"),
        _datetime("closedate"),
        Property("deal_currency_code"),
        Property("description", field="textarea"),
    ),
    "tickets": (
        *_EVERYWHERE,
        Property("subject"),
        Property("content", field="textarea"),
        _choice("hs_pipeline", "0"),
        _choice("hs_pipeline_stage", *TICKET_STAGES),
        _choice("hs_ticket_priority", *PRIORITIES),
        _choice("hs_ticket_category", "PRODUCT_ISSUE", "BILLING_ISSUE", "GENERAL_INQUIRY"),
    ),
}

_STAMPS = {
    "contacts": ("createdate", "hs_object_id", "lastmodifieddate"),
    "companies": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "tickets": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}
_DEFAULTS = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("domain", "name"),
    "deals": ("amount", "closedate", "dealname", "dealstage", "pipeline"),
    "tickets": ("content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "subject"),
}


def shown(object_type: str, asked: list[str]) -> list[str]:
    """The names a record shows: the stamps always, the defaults when none are asked for."""
    return sorted({*_STAMPS[object_type], *(asked or _DEFAULTS[object_type])})
