"""Accounts of the built-in issuer, or the stand-ins for an external one's, whose roles are that issuer's to say."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.backoffice import account_acts, filters
from apps.backoffice.forms import NewUserForm, UserForm
from apps.backoffice.reading import as_uuid
from apps.backoffice.rights import USERS, require, staff_of
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.backoffice.site import site
from apps.identity.models import User
from apps.identity.rbac import ROLES
from apps.identity.standing import slug_of
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

LIST = "/admin/identity/user/"
RoleFilter = filters.one_of("role", "role", sorted(ROLES), "roles__contains", as_list=True)


class UserAdmin(ScopedAdmin):
    """Rows of `users`, fenced here: sign-in looks before it knows a tenant, so row-level security cannot."""

    right = USERS
    search_fields = ("username",)
    search_help_text = "The beginning of the user name"
    ordering = ("username",)
    sortable_by = ()
    actions = ()
    list_filter = (RoleFilter, filters.one_of("enabled", "enabled", ("true", "false"), "is_active"))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("username", "held_roles", "enabled", "last_login")
        return (*shown, "of_tenant") if staff_of(request).is_platform else shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        users = User.objects.order_by("username")
        staff = staff_of(request)
        return users if staff.is_platform else users.filter(tenant_id=staff.tenant_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        user_id = as_uuid(search_term.strip())
        if user_id is not None:
            return queryset.filter(pk=user_id), False
        return queryset.filter(username__startswith=search_term.strip()), False

    @display(description="Roles")
    def held_roles(self, user: User) -> str:
        return ", ".join(user.roles)

    @display(description="Enabled")
    def enabled(self, user: User) -> str:
        word, state = ("enabled", "ok") if user.is_active else ("disabled", "failed")
        return format_html('<span class="badge is-{}">{}</span>', state, word)

    @display(description="Tenant")
    def of_tenant(self, user: User) -> str:
        return (slug_of(user.tenant_id) or str(user.tenant_id)) if user.tenant_id else "none"

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return staff_of(request).may(USERS) and not settings.OIDC_ISSUER

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:user_id>/act", self.admin_site.admin_view(self.act_view), name="identity_user_act")
        return [act, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, USERS)
        if settings.OIDC_ISSUER:
            raise Http404
        form = NewUserForm(request.POST or None, for_platform=staff.is_platform)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            tenant = tenant_by_slug(said["tenant"]) if staff.is_platform else None
            if staff.is_platform and tenant is None:
                form.add_error("tenant", "There is no such tenant.")
            else:
                try:
                    user, password = account_acts.create_account(
                        staff,
                        username=said["username"],
                        email=said["email"],
                        roles=said["roles"],
                        tenant_id=tenant.pk if tenant else staff.tenant_id,
                    )
                except PlatformError as error:
                    form.add_error(None, error.detail)
                else:
                    return self._shown_once(request, user, password)
        return site.show(request, "form.html", "New account", form=form, back=LIST)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, USERS)
        user = account_acts.visible_account(staff, as_uuid(object_id) or UUID(int=0))
        initial = {"roles": user.roles, "is_active": user.is_active}
        form = UserForm(request.POST) if request.method == "POST" else UserForm(initial=initial)
        if settings.OIDC_ISSUER:
            del form.fields["roles"]
        if request.method == "POST" and form.is_valid():
            try:
                roles = form.cleaned_data.get("roles", user.roles)
                account_acts.change_account(staff, user, roles=roles, is_active=form.cleaned_data["is_active"])
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, f"{user.username} was changed.")
                return HttpResponseRedirect(request.path)
        acts = [("sign_out", "Sign out everywhere")]
        if not settings.OIDC_ISSUER:
            acts.append(("reset", "New password"))
        return site.show(
            request,
            "form.html",
            f"Account {user.username}",
            form=None if user.pk == staff.user_id else form,
            back=LIST,
            acts=acts,
            act_at=f"{LIST}{user.pk}/act",
            facts=[
                ("Id", user.pk),
                ("User name", user.username),
                ("E-mail", user.email or "none"),
                ("Tenant", self.of_tenant(user)),
                ("Roles", ", ".join(user.roles) or "none"),
                ("Last sign-in", user.last_login or "never"),
                ("Since", user.date_joined),
            ],
        )

    def act_view(self, request: HttpRequest, user_id: UUID) -> HttpResponseBase:
        """A new password, or signed out everywhere."""
        staff = require(request, USERS)
        if request.method != "POST":
            raise Http404
        user = account_acts.visible_account(staff, user_id)
        action = request.POST.get("action", "")
        if action == "reset" and not settings.OIDC_ISSUER:
            return self._shown_once(request, user, account_acts.reset_password(staff, user))
        if action != "sign_out":
            raise Http404
        account_acts.sign_out(staff, user)
        if user.pk != staff.user_id:
            messages.success(request, f"{user.username} is signed out everywhere.")
        return HttpResponseRedirect(f"{LIST}{user.pk}/change/")

    def _shown_once(self, request: HttpRequest, user: User, password: str) -> HttpResponseBase:
        return site.show(
            request,
            "form.html",
            f"Account {user.username}",
            back=LIST,
            facts=[("User name", user.username), ("Password, shown this once", password)],
        )


site.register(User, UserAdmin)
