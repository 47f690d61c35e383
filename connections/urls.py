from django.urls import path

from connections import site_views, views

app_name = "connections"

urlpatterns = [
    path("connections/", views.listing, name="list"),
    path("connections/add/", views.add, name="add"),
    path("connections/people/", views.people_all, name="people_all"),
    path("connections/<str:name>/", views.detail, name="detail"),
    path("connections/<str:name>/sites/", views.sites_of, name="sites_of"),
    path("connections/<str:name>/people/", views.people, name="people"),
    path("connections/<str:name>/check/", views.check, name="check"),
    path("connections/<str:name>/settings/", views.settings, name="settings"),
    path("connections/<str:name>/twinlog.toml", views.file, name="file"),
    path("connections/<str:name>/edit/", views.edit, name="edit"),
    path("connections/<str:name>/pause/", views.pause, name="pause"),
    path("connections/<str:name>/resume/", views.resume, name="resume"),
    path("sites/", site_views.listing, name="sites"),
    path("sites/add/", site_views.add, name="site_add"),
    path("sites/<str:name>/", site_views.detail, name="site"),
    path("sites/<str:name>/edit/", site_views.edit, name="site_edit"),
    path("sites/<str:name>/knock/", site_views.knock, name="site_knock"),
    path("sites/<str:name>/remove/", site_views.remove, name="site_remove"),
    path("sites/<str:name>/tokens/", site_views.token_add, name="token_add"),
    path("sites/<str:name>/tokens/<int:pk>/", site_views.token_replace, name="token_replace"),
    path("sites/<str:name>/tokens/<int:pk>/expiry/", site_views.token_expiry, name="token_expiry"),
    path("sites/<str:name>/tokens/<int:pk>/revoke/", site_views.token_revoke, name="token_revoke"),
]
