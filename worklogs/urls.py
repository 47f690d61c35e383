from django.urls import path

from worklogs import webhooks
from worklogs.pages import entries, people, runs, scope

app_name = "worklogs"

urlpatterns = [
    path("hooks/<str:key>/", webhooks.receive, name="hook"),
    path("runs/", runs.index, name="runs"),
    path("runs/start/", runs.start, name="start"),
    path("runs/of/<str:name>/", runs.of_connection, name="connection_runs"),
    path("runs/<int:pk>/", runs.detail, name="run"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run_cancel"),
    path("runs/<int:pk>/pause/", runs.pause, name="run_pause"),
    path("runs/<int:pk>/resume/", runs.resume, name="run_resume"),
    path("entries/", entries.standing, name="entries"),
    path("entries/<int:pk>/", entries.one, name="entry"),
    path("entries/<int:pk>/decide/", entries.decide, name="entry_decide"),
    path("entries/log/", entries.log, name="log"),
    path("entries/log/<int:pk>/", entries.act, name="act"),
    path("issues/<str:name>/", scope.of_connection, name="issues"),
    path("issues/<str:name>/<int:pk>/look/", scope.look, name="issue_look"),
    path("people/", people.every, name="people_all"),
    path("people/<str:name>/", people.of_connection, name="people"),
    path("people/<str:name>/pair/", people.pair, name="people_pair"),
    path("people/<str:name>/unpair/", people.unpair, name="people_unpair"),
    path("people/<str:name>/file/", people.pairs_file, name="people_file"),
]
