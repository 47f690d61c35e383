"""People and programs that call the sandbox's Jira and Tempo as anybody would, without our clients."""

import requests

ORDINARY = "ABC-2"
STARTED = "2024-05-01T09:00:00.000+0200"


def adf(*paragraphs):
    return {
        "type": "doc",
        "version": 1,
        "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in paragraphs
        ],
    }


class Person:
    """Somebody with a token on one Jira site of the sandbox."""

    def __init__(self, sandbox, site="jca", email="twinlog@jca.example", token=""):
        self.base = f"{sandbox.url}/jira/{site}/rest/api/3"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (email, token or sandbox.secrets()["JCA_TOKEN"])

    def __call__(self, method, path, **more):
        return self.session.request(method, self.base + path, **more)

    def log(self, issue=ORDINARY, query="", **body):
        return self(
            "POST",
            f"/issue/{issue}/worklog{query}",
            json={"started": STARTED, "timeSpentSeconds": 600} | body,
        )

    def change(self, number, query="", issue=ORDINARY, **body):
        return self("PUT", f"/issue/{issue}/worklog/{number}{query}", json=body)


class Caller:
    """Somebody with a token of the Tempo on `jcb`."""

    def __init__(self, sandbox, token="", version="/4"):
        self.base = f"{sandbox.url}/tempo/jcb-tempo{version}"
        self.headers = {"Authorization": f"Bearer {token or sandbox.secrets()['JCB_TEMPO_TOKEN']}"}
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method, path, **more):
        address = path if path.startswith("http") else self.base + path
        return self.session.request(method, address, headers=self.headers, **more)
