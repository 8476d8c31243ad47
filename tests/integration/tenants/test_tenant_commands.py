"""The first tenant of a new platform comes from the command line."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from apps.identity.models import User
from apps.tenancy.selectors import tenant_by_slug


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("create_tenant", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.requirement("tenants:commands")
def test_the_first_tenant_and_its_administrator() -> None:
    slug = f"first-{uuid4().hex[:8]}"
    email = f"ada@{slug}.example"

    said = run(slug, f"First {slug}", "--admin", email)
    again = run(slug, "whatever", "--if-missing")

    tenant = tenant_by_slug(slug)
    assert tenant is not None and str(tenant.id) in said
    user = User.objects.get(username=email)
    assert (user.tenant_id, user.roles) == (tenant.id, ["admin"])
    assert user.check_password(said.split("password ")[1].split(". It")[0])
    assert "already" in again


@pytest.mark.requirement("tenants:commands")
@pytest.mark.parametrize("slug", ["A b", "-x", "global", "x" * 64, "demo"])
def test_a_slug_that_cannot_be_is_refused_in_a_sentence(slug: str) -> None:
    with pytest.raises(CommandError, match=r"slug"):
        run("--", slug, f"Name {uuid4().hex}")
