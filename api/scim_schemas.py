"""What this service can do by SCIM and what its resources are made of, as RFC 7643, sections 5 to 7, writes it."""

from typing import Any

from api.scim_reading import BASE, GROUP, MOST, USER

_SCHEMAS = "urn:ietf:params:scim:schemas:core:2.0:"
DOCUMENTATION = "https://datatracker.ietf.org/doc/html/rfc7644"


def _meta(kind: str, location: str) -> dict[str, str]:
    return {"resourceType": kind, "location": f"{BASE}/{location}"}


CONFIG: dict[str, Any] = {
    "schemas": [_SCHEMAS + "ServiceProviderConfig"],
    "documentationUri": DOCUMENTATION,
    "patch": {"supported": True},
    "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
    "filter": {"supported": True, "maxResults": MOST},
    "changePassword": {"supported": False},
    "sort": {"supported": False},
    "etag": {"supported": True},
    "authenticationSchemes": [
        {
            "type": "oauthbearertoken",
            "name": "Service token",
            "description": "Authorization: Bearer with a service token of the provider.",
            "primary": True,
        }
    ],
    "meta": _meta("ServiceProviderConfig", "ServiceProviderConfig"),
}


def _resource_type(kind: str, schema: str, about: str) -> dict[str, Any]:
    return {
        "schemas": [_SCHEMAS + "ResourceType"],
        "id": kind,
        "name": kind,
        "endpoint": f"/{kind}s",
        "description": about,
        "schema": schema,
        "meta": _meta("ResourceType", f"ResourceTypes/{kind}"),
    }


RESOURCE_TYPES = {
    "User": _resource_type("User", USER, "A person of the directory"),
    "Group": _resource_type("Group", GROUP, "A team of the directory, or a group that gives an organisation role"),
}


def _attribute(name: str, about: str, kind: str = "string", **rest: Any) -> dict[str, Any]:
    plain = {
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }
    return {"name": name, "type": kind, "description": about} | plain | rest


def _schema(schema: str, name: str, about: str, *attributes: dict[str, Any]) -> dict[str, Any]:
    shown = {"schemas": [_SCHEMAS + "Schema"], "id": schema, "name": name, "description": about}
    return shown | {"attributes": list(attributes), "meta": _meta("Schema", f"Schemas/{schema}")}


SCHEMAS = {
    USER: _schema(
        USER,
        "User",
        "A person of the directory",
        _attribute(
            "userName",
            "A person's name such as li.wei, or an address whose part before the @ is one. It never becomes another's.",
            required=True,
            uniqueness="server",
        ),
        _attribute("displayName", "How the person is called; kept in the vault."),
        _attribute(
            "name",
            "The parts of it; kept in the vault.",
            "complex",
            subAttributes=[
                _attribute("formatted", "The whole name."),
                _attribute("givenName", "The given name."),
                _attribute("familyName", "The family name."),
            ],
        ),
        _attribute(
            "emails",
            "One address is kept, in the vault: the primary one, else the first.",
            "complex",
            multiValued=True,
            subAttributes=[
                _attribute("value", "The address."),
                _attribute("type", "work."),
                _attribute("primary", "Always true.", "boolean"),
            ],
        ),
        _attribute("active", "False: deactivated; open seats of theirs go to others.", "boolean"),
        _attribute("externalId", "The provider's own id.", caseExact=True),
        _attribute(
            "groups",
            "The teams of the person.",
            "complex",
            multiValued=True,
            mutability="readOnly",
            subAttributes=[_attribute("value", "The id of the group.", caseExact=True)],
        ),
    ),
    GROUP: _schema(
        GROUP,
        "Group",
        "A team of the directory, or a group that gives an organisation role",
        _attribute("displayName", "How the group is called.", required=True, uniqueness="server"),
        _attribute("externalId", "The provider's own id.", caseExact=True),
        _attribute(
            "members",
            "The people in it.",
            "complex",
            multiValued=True,
            subAttributes=[_attribute("value", "The id of a User.", caseExact=True)],
        ),
    ),
}
