from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path

from connections.accounts import ChangePassword

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("password/", ChangePassword.as_view(), name="password_change"),
    path("", include("reports.urls")),
    path("", include("worklogs.urls")),
    path("", include("connections.urls")),
]
