"""Roles and what each may do. A role says *what*; where it holds is its assignment's scope (`scope`).

Capabilities are the nouns of pages and acts, not of tables. A page names the one it needs when it is routed; a test
asks every page as every role and compares with this table.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

__all__ = ["CAPABILITIES", "Capability", "Role", "roles_with"]


class Capability(TextChoices):
    """Something that a person may be allowed to do."""

    REGISTRY_VIEW = "registry.view", _("See enterprises, sites and machines")
    REGISTRY_EDIT = "registry.edit", _("Enter and change enterprises, sites and machines")
    SHEETS_IMPORT = "sheets.import", _("Import spreadsheets")
    PEOPLE_VIEW = "people.view", _("See people and certificates, identity numbers masked")
    PEOPLE_EDIT = "people.edit", _("Enter and change people and certificates")
    IDENTITY_REVEAL = "identity.reveal", _("See an identity number in full, with a purpose, logged")
    CONFLICT_DECIDE = "conflict.decide", _("Decide conflicts between certificates and people")
    MACHINE_START = "machine.start", _("Ask for the start of a machine")
    CHIP_FIT = "chip.fit", _("Fit chips to machines and take them off")
    AUDIT_VIEW = "audit.view", _("Read the audit log")


class Role(TextChoices):
    """What somebody is, in the plan's terms."""

    PROVINCE = "province", _("Province officer")
    CITY = "city", _("City officer")
    COUNTY = "county", _("County officer")
    TOWNSHIP = "township", _("Township officer")
    DEPARTMENT = "department", _("Department officer")
    PRINCIPAL = "principal", _("Head of enterprise")
    SAFETY_MANAGER = "safety_manager", _("Safety manager")
    GUARDIAN = "guardian", _("Guardian")
    WELDER = "welder", _("Welder")
    INSPECTOR = "inspector", _("Inspector")
    INSTALLER = "installer", _("Installer")
    AUDITOR = "auditor", _("Auditor")


_SEE = frozenset({Capability.REGISTRY_VIEW, Capability.PEOPLE_VIEW})
_OFFICER = _SEE | {
    Capability.REGISTRY_EDIT,
    Capability.SHEETS_IMPORT,
    Capability.PEOPLE_EDIT,
    Capability.IDENTITY_REVEAL,
    Capability.CONFLICT_DECIDE,
}

CAPABILITIES: dict[Role, frozenset[Capability]] = {
    Role.PROVINCE: _SEE,  # looks on; what is entered is entered by the level that knows it
    Role.CITY: _SEE,
    Role.COUNTY: _OFFICER,
    Role.TOWNSHIP: _SEE | {Capability.REGISTRY_EDIT, Capability.SHEETS_IMPORT, Capability.IDENTITY_REVEAL},
    Role.DEPARTMENT: _OFFICER,
    Role.PRINCIPAL: _SEE | {Capability.MACHINE_START},
    Role.SAFETY_MANAGER: _SEE | {Capability.MACHINE_START},
    Role.GUARDIAN: frozenset({Capability.REGISTRY_VIEW}),
    Role.WELDER: frozenset({Capability.MACHINE_START}),
    Role.INSPECTOR: _SEE | {Capability.IDENTITY_REVEAL},
    Role.INSTALLER: frozenset({Capability.REGISTRY_VIEW, Capability.CHIP_FIT}),
    Role.AUDITOR: _SEE | {Capability.AUDIT_VIEW},
}


def roles_with(capability: Capability) -> frozenset[Role]:
    """Return the roles that have a capability."""
    return frozenset(role for role, capabilities in CAPABILITIES.items() if capability in capabilities)
