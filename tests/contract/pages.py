"""Pages in the shape of each service, and a full read of any resource made of them."""

from tests.contract import samples

API = "/acme/api/v2"
# service -> a resource, the path of its listing, a record, its key
FIRST = {
    "hubspot": ("contacts", "/crm/v3/objects/contacts", samples.CONTACT, "51301"),
    "stripe": ("customers", "/v1/customers", samples.CUSTOMER, "cus_SampleA1b2C3"),
    "zendesk": ("tickets", f"{API}/incremental/tickets/cursor", samples.TICKET, "35436"),
}


def page(*records, after=None):
    link = f"https://api.hubapi.com/crm/v3/objects/x?after={after}"
    paging = {"paging": {"next": {"after": after, "link": link}}} if after else {}
    return {"results": list(records), **paging}


def found(*records, total=None, after=None):
    return {"total": total or len(records), **page(*records, after=after)}


def listed(*records, more=False, url="/v1/x"):
    return {"object": "list", "url": url, "has_more": more, "data": list(records)}


def exported(kind, *records, cursor="c1", end=True):
    return {
        kind: list(records),
        "after_url": f"https://acme.zendesk.com/api/v2/incremental/{kind}/cursor.json?cursor=c1",
        "after_cursor": cursor,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": end,
    }


def timed(*records, end_time, end=False, count=None):
    following = (
        f"https://acme.zendesk.com/api/v2/incremental/organizations.json?start_time={end_time}"
    )
    return {
        "organizations": list(records),
        "count": len(records) if count is None else count,
        "end_time": end_time,
        "next_page": following,
        "end_of_stream": end,
    }


def rated(*records, after=None):
    meta = {"has_more": after is not None, "after_cursor": after, "before_cursor": None}
    return {"satisfaction_ratings": list(records), "meta": meta, "links": {"next": None}}


def full_read(service, name, resource, *records):
    """Declare what a full read of a resource asks for; returns the path of its listing."""
    if name == "hubspot":
        path = "/crm/v3/owners/" if resource == "owners" else f"/crm/v3/objects/{resource}"
        service.get(path, page(*records), archived=None)
        service.get(path, page(), archived="true")
        return path
    if name == "stripe":
        service.get(f"/v1/{resource}", listed(*records))
        return f"/v1/{resource}"
    path, answer = zendesk_page(resource, *records)
    service.get(path, answer)
    return path


def zendesk_page(resource, *records):
    if resource == "organizations":
        return f"{API}/incremental/organizations", timed(*records, end_time=1777601000, end=True)
    if resource == "satisfaction_ratings":
        return f"{API}/satisfaction_ratings", rated(*records)
    kind = "users" if resource == "users" else "tickets"
    return f"{API}/incremental/{kind}/cursor", exported(kind, *records)


def whole(name, *records):
    """The listing's only page."""
    if name == "stripe":
        return listed(*records)
    return page(*records) if name == "hubspot" else exported("tickets", *records)


def first_of_two(name, *records):
    if name == "stripe":
        return listed(*records, more=True)
    if name == "hubspot":
        return page(*records, after="51302")
    return exported("tickets", *records, cursor="c1", end=False)
