"""The site at /admin: its door, its answers to errors, and the pages that belong to no model."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import update_wrapper
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from unfold.sites import UnfoldAdminSite

from apps.audit import trail
from apps.backoffice import notices
from apps.backoffice.layers import page
from apps.backoffice.reading import reading
from apps.backoffice.rights import Staff
from apps.backoffice.told import tell
from kernel.errors import BadRequestError, PlatformError
from kernel.web.problem import as_platform_error

View = Callable[..., HttpResponseBase]
LOGIN_URL = "/admin/login/"
# Django's own views that have no place here: passwords are the issuer's, and ids lead nowhere but to our own pages.
LEFT_OUT = frozenset({"password_change", "password_change_done", "login", "logout", "view_on_site", "autocomplete"})


class BackofficeSite(UnfoldAdminSite):
    """Nobody passes without a session of ours and a role of rights.py; what a page reads is fenced by reading.py."""

    enable_nav_sidebar = True

    def __init__(self) -> None:
        super().__init__(name="admin")
        self.pages: list[tuple[str, View, str]] = []
        self.front_page: View | None = None

    def has_permission(self, request: HttpRequest) -> bool:
        staff: Staff | None = getattr(request, "staff", None)
        return staff is not None and bool(staff.rights)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Around every page of the site: the layers, the door, the fence, and a page for whatever goes wrong."""

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            staff: Staff | None = request.staff  # type: ignore[attr-defined]
            if staff is None:
                return redirect_to_login(request.get_full_path() if request.method == "GET" else "/admin/", LOGIN_URL)
            if not staff.rights:
                tell(staff, "refused", tenant_id=staff.tenant_id, outcome=trail.DENIED, path=request.path[:200])
                return notices.not_staff(request)
            return answer(request, staff, view, *args, **kwargs)

        return update_wrapper(page(guarded), view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own = [path(route, self.admin_view(view), name=name) for route, view, name in self.pages]
        kept = [pattern for pattern in super().get_urls() if getattr(pattern, "name", None) not in LEFT_OUT]
        return [*own, *kept]

    def front(self, view: View) -> View:
        """Register what is shown first."""
        self.front_page = view
        return view

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if self.front_page is None:
            raise Http404
        return self.front_page(request)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        raise Http404

    def search(self, request: HttpRequest, extra_context: Any = None) -> Any:
        raise Http404

    def page(self, route: str, *, name: str) -> Callable[[View], View]:
        """Register a page that shows no model: ``@site.page("limits/", name="limits")``."""

        def register(view: View) -> View:
            self.pages.append((route, view, name))
            return view

        return register

    def show(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page in the site's frame."""
        request.current_app = self.name
        return TemplateResponse(
            request, f"backoffice/{template}", {**self.each_context(request), "title": title, **context}
        )


def answer(request: HttpRequest, staff: Staff, view: View, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """The view's answer, rendered while its fence still stands; an error as a page that says nothing of the inside.

    The services commit for themselves, so what changes something opens its own fence for what it reads.
    """
    fence = reading(staff) if request.method in ("GET", "HEAD") else nullcontext()
    try:
        with fence:
            response = view(request, *args, **kwargs)
            if isinstance(response, TemplateResponse) and not response.is_rendered:
                response.render()
            return response
    except (PlatformError, Http404, PermissionDenied, SuspiciousOperation, DatabaseError) as error:
        problem = as_platform_error(error)
        if problem is None and isinstance(error, SuspiciousOperation):
            problem = BadRequestError("The request cannot be understood.")
        if problem is None:
            raise
        if problem.http_status == 403:
            tell(staff, "refused", tenant_id=staff.tenant_id, outcome=trail.DENIED, path=request.path[:200])
        return notices.problem(request, problem)


site = BackofficeSite()
