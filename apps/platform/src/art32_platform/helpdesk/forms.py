"""The help form, here and in the footer of every page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from art32_platform.helpdesk.models import HelpRequest

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["HelpForm", "on_every_page"]


class HelpForm(forms.ModelForm):
    """A question to the team; who is logged in need not say where the answer goes."""

    class Meta:
        model = HelpRequest
        fields = ("email", "message", "page")
        widgets = {
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "message": forms.Textarea(attrs={"rows": 4}),
            "page": forms.HiddenInput,
        }

    def __init__(self, request: HttpRequest, data: Any = None) -> None:  # noqa: ANN401 - as Django's form
        """A form for this request; ids begin with `help`, so that it fits beside another form."""
        super().__init__(data, auto_id="help-%s", initial={"page": request.path[:200]})
        # On the page of a failure there may be no account yet.
        if getattr(request, "user", None) is not None and request.user.is_authenticated:
            self.instance.account = self.instance.email = request.user.email
            del self.fields["email"]


def on_every_page(request: HttpRequest) -> dict[str, HelpForm]:
    """Template context: the form as `help_form`."""
    return {"help_form": HelpForm(request)}
