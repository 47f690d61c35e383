"""Who we talk to: sites, the tokens that open them, and the connections between them."""

import secrets
from datetime import timedelta

from django.db import models
from django.utils import timezone

from connections.options import ConnectionOptions


class Site(models.Model):
    """One account at one vendor."""

    class Kind(models.TextChoices):
        JIRA = "jira", "Jira"
        TEMPO = "tempo", "Tempo"
        SEVENPACE = "sevenpace", "7pace Timetracker"
        AZURE = "azure", "Azure DevOps"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    url = models.CharField(max_length=500)
    email = models.CharField(max_length=254, blank=True)
    jira = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="tempo_sites"
    )
    azure = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="sevenpace_sites"
    )
    identities_url = models.CharField(max_length=500, blank=True)
    marker_attribute = models.CharField(max_length=100, blank=True)
    account_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def companion(self) -> "Site | None":
        """The site that knows this one's issues and people: a tempo site's jira, a sevenpace site's azure."""
        return self.jira or self.azure

    @property
    def own_token(self) -> "Token | None":
        return self.token_of("")

    def token_of(self, email: str) -> "Token | None":
        """A person's token, by e-mail without case; of the empty e-mail the site's own."""
        wanted = email.casefold()
        return next((token for token in self.tokens.all() if token.email.casefold() == wanted), None)


SOON = timedelta(days=14)


class Token(models.Model):
    """A secret a site is opened with, encrypted; `connections.tokens` alone can open it."""

    class Check(models.TextChoices):
        NEVER = "", "not checked yet"
        OK = "ok", "accepted"
        REFUSED = "refused", "refused"
        UNREACHABLE = "unreachable", "site not reached"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="tokens")
    email = models.CharField(
        max_length=254, blank=True, help_text="the person of a personal token; empty: the site's own"
    )
    ciphertext = models.TextField()
    key_id = models.CharField(max_length=16)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_check_at = models.DateTimeField(null=True, blank=True)
    last_check_state = models.CharField(max_length=20, blank=True, choices=Check.choices, default=Check.NEVER)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["site", "email"]
        constraints = [models.UniqueConstraint(fields=["site", "email"], name="one_token_a_person")]

    def __str__(self) -> str:
        return f"{self.site} ({self.email})" if self.email else str(self.site)

    @property
    def standing(self) -> str:
        """What is to be known of it now: "expired", "expiring" (within 14 days), else what the last check found."""
        left = self.expires_at - timezone.now() if self.expires_at else None
        if left is not None and left <= timedelta(0):
            return "expired"
        refused = self.last_check_state == self.Check.REFUSED
        return "expiring" if left is not None and left <= SOON and not refused else self.last_check_state


def unguessable() -> str:
    return secrets.token_urlsafe(32)


class Webhook(models.Model):
    """What a site was asked to tell us of, and the secret it signs with; `connections.tokens` alone can open that."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="webhooks")
    event = models.CharField(max_length=50, help_text="what it tells of, by the vendor's name")
    key = models.CharField(
        max_length=64, unique=True, default=unguessable, help_text="the last part of the address it calls"
    )
    vendor_id = models.CharField(max_length=100, blank=True)
    ciphertext = models.TextField(blank=True)
    key_id = models.CharField(max_length=16, blank=True)
    active = models.BooleanField(default=False, help_text="as far as we know, the vendor calls")
    last_heard_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["site", "event"]
        constraints = [models.UniqueConstraint(fields=["site", "event"], name="one_webhook_an_event")]

    def __str__(self) -> str:
        return f"{self.event} of {self.site}"


class Delivery(models.Model):
    """One call of a webhook: a hint that a worklog changed, good for nothing but to look there."""

    class Event(models.TextChoices):
        CREATED = "created", "Created"
        UPDATED = "updated", "Updated"
        DELETED = "deleted", "Deleted"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=200, help_text="the same for every repetition")
    event = models.CharField(max_length=20, choices=Event.choices)
    worklog = models.CharField(max_length=40, help_text="the vendor's id")
    at = models.DateTimeField(auto_now_add=True)
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["webhook", "key"], name="one_delivery_a_key")]
        indexes = [models.Index(fields=["webhook", "taken_at"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.worklog} {self.event}, told by {self.webhook}"


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def with_sites(self) -> "ConnectionQuerySet":
        return self.select_related("left__jira", "left__azure", "right__jira", "right__azure")


class Connection(models.Model):
    """A named pair of sites. A migration's source is `left`, its target `right`."""

    class Kind(models.TextChoices):
        SYNC = "sync", "Sync"
        MIGRATION = "migration", "Migration"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    left = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="connections_left")
    right = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="connections_right")
    options = models.JSONField(default=dict)
    paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_migration(self) -> bool:
        return self.kind == self.Kind.MIGRATION

    @property
    def sites(self) -> list[Site]:
        """Both sides, each followed by the site that knows its issues and people."""
        every = [site for end in (self.left, self.right) for site in (end, end.companion) if site]
        return list({site.pk: site for site in every}.values())

    def get_options(self) -> ConnectionOptions:
        """The options, typed; parsed once for each value of `options`."""
        raw, typed = getattr(self, "_typed_options", (None, None))
        if typed is None or raw is not self.options:
            typed = ConnectionOptions.load(self.options)
            self._typed_options = (self.options, typed)
        return typed

    @property
    def minimum_seconds(self) -> int:
        """Shorter entries are skipped: as said in the options, else 60 for a migration, 0 for a sync."""
        said = self.get_options().minimum_seconds
        default = 60 if self.is_migration else 0
        return default if said is None else said

    def estimate_on(self, site: Site) -> str:
        """What a write does to the issue's remaining estimate there: "leave" or "auto"."""
        said = self.get_options().estimate
        default = "auto" if site.kind == Site.Kind.TEMPO else "leave"
        return default if said is None else str(said)


class ConnectionCheck(models.Model):
    """What the last check of a connection found, kept for those who look at it later."""

    class Status(models.TextChoices):
        OK = "ok", "all there"
        MISSING = "missing", "something is missing"
        UNREACHABLE = "unreachable", "a side cannot be reached or refuses its token"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="last_check")
    at = models.DateTimeField()
    status = models.CharField(max_length=20, choices=Status.choices)
    checks = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.connection}: {self.get_status_display()}"

    @property
    def missing(self) -> list[dict[str, str]]:
        return [check for check in self.checks if check["state"] == "missing"]

    @property
    def found(self) -> int:
        """How many of the `checks` are as they should be."""
        return sum(check["state"] == "ok" for check in self.checks)


class UserMapping(models.Model):
    """The same person on both sides of a connection."""

    class FoundBy(models.TextChoices):
        EMAIL = "email", "by e-mail"
        MANUAL = "manual", "by hand"
        FILE = "file", "from a file"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="user_mappings")
    left_account = models.CharField(max_length=200, blank=True)
    left_name = models.CharField(max_length=200, blank=True)
    left_email = models.CharField(max_length=254, blank=True)
    right_account = models.CharField(max_length=200, blank=True)
    right_name = models.CharField(max_length=200, blank=True)
    right_email = models.CharField(max_length=254, blank=True)
    found_by = models.CharField(max_length=20, choices=FoundBy.choices)

    class Meta:
        ordering = ["connection", "left_name", "left_email", "left_account"]
        indexes = [
            models.Index(fields=["connection", "left_account"]),
            models.Index(fields=["connection", "left_email"]),
            models.Index(fields=["connection", "right_account"]),
            models.Index(fields=["connection", "right_email"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "left_account", "left_email"],
                condition=models.Q(found_by="email"),
                name="found_once_by_email",
            )
        ]

    def __str__(self) -> str:
        left = self.left_email or self.left_account
        right = self.right_email or self.right_account
        return f"{left} = {right} ({self.connection})"


class SiteBudget(models.Model):
    """What is left of one rate limit of one site, shared by every process. Times are epoch seconds."""

    site = models.CharField(max_length=100)
    bucket = models.CharField(max_length=100)
    next_free = models.FloatField(default=0)
    blocked_until = models.FloatField(default=0)
    recent = models.JSONField(default=list)

    class Meta:
        ordering = ["site", "bucket"]
        constraints = [models.UniqueConstraint(fields=["site", "bucket"], name="one_budget_a_bucket")]

    def __str__(self) -> str:
        return f"{self.site}: {self.bucket}"
