"""People's own accounts here: signing in is Django's, a password is changed by its owner."""

from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy


class ChangePassword(SuccessMessageMixin, PasswordChangeView):
    success_url = reverse_lazy("reports:overview")
    success_message = "Your password is changed. Other browsers are signed out."
