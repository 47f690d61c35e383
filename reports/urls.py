from django.urls import path

from reports import views

app_name = "reports"

urlpatterns = [
    path("", views.front, name="overview"),
    path("failures/", views.failures, name="failures"),
    path("failures.csv", views.failures_csv, name="failures_csv"),
    path("reports/", views.index, name="index"),
    path("reports/migration/<str:name>/", views.migration_report, name="migration"),
    path("reports/migration/<str:name>/prove/", views.prove, name="prove"),
]
