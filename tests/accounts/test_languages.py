"""The language of pages and mails, with a made-up catalogue; and that every text can be translated."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.template import engines
from django.template.base import Lexer, TokenType
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import trans_real
from pytest_django import Settings

from apps.accounts import links, mutations
from apps.accounts.models import User
from apps.alerts import words
from apps.alerts.kinds import Kind
from apps.desk import live
from apps.houses.models import House
from config import languages
from tests.people import AsUser

TEMPLATES = Path(django_settings.BASE_DIR) / "templates"
# Those of the admin are English for all; the page of a fault needs nothing that may be broken.
ENGLISH = ("admin/", "unfold/", "simple_history/", "500.html")
NAMES = {"Wattdesk", "kW", "kWh", "min", "UTC", "API"}
SPOKEN = {
    "Log in": "Ensalutu",
    "Your account": "Via konto",
    "Language": "Lingvo",
    "Your language is saved.": "Via lingvo estas konservita.",
    "Homeowner": "Domposedanto",
    "This house is not connected": "Ĉi tiu domo ne estas konektita",
    "Set a new Wattdesk password": "Nova pasvorto",
}


def compiled(texts: dict[str, str]) -> bytes:
    """A catalogue as `msgfmt` makes it."""
    head = {"": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"}
    pairs = sorted((key.encode(), value.encode()) for key, value in {**head, **texts}.items())
    count, place = len(pairs), 28 + 16 * len(pairs)
    tables: list[bytes] = []
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[column]), place))
            place += len(pair[column]) + 1
    strings = b"".join(pair[column] + b"\0" for column in (0, 1) for pair in pairs)
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + b"".join(tables) + strings


@pytest.fixture
def esperanto(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A server that speaks English and Esperanto, as far as it goes."""
    folder = tmp_path / "locale" / "eo" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(compiled(SPOKEN))
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    settings.LANGUAGES = languages.found(tmp_path / "locale")
    _forget()
    yield
    _forget()


def _forget() -> None:
    """What Django remembers of catalogues and of the languages there are."""
    trans_real._translations.clear()
    trans_real.get_languages.cache_clear()
    trans_real.translation_catalog_exists.cache_clear()
    trans_real._get_supported_language_variant.cache_clear()


def page(client: Client, name: str, **headers: str) -> str:
    return client.get(reverse(name), headers=headers).content.decode()


def test_a_language_is_there_once_it_is_compiled(tmp_path: Path) -> None:
    for name in ("de", "pt_BR", "eo"):
        (tmp_path / name / "LC_MESSAGES").mkdir(parents=True)
    for name in ("pt_BR", "eo"):
        (tmp_path / name / "LC_MESSAGES" / "django.mo").touch()
    assert languages.found(tmp_path) == [
        ("en", "English"),
        ("eo", "Esperanto"),
        ("pt-br", "Português brasileiro"),
    ]


def test_with_one_language_there_is_nothing_to_choose(as_user: AsUser, bob: User) -> None:
    assert "Language" not in page(as_user(bob), "account", accept_language="fr")


@pytest.mark.usefixtures("esperanto")
class TestTwoLanguages:
    def test_a_browser_is_answered_in_its_language(self, db: None, client: Client) -> None:
        assert "<h1>Ensalutu</h1>" in page(client, "login", accept_language="eo, en;q=0.5")
        assert "<h1>Log in</h1>" in page(client, "login", accept_language="fr")
        assert 'lang="eo"' in page(client, "login", accept_language="eo")

    def test_who_chooses_one_gets_it_whatever_the_browser_asks(self, as_user: AsUser, bob: User) -> None:
        client = as_user(bob)
        answer = client.post(reverse("account_language"), {"language": "eo"}, follow=True)
        shown = answer.content.decode()
        assert "Via lingvo estas konservita." in shown
        assert "<h1>Via konto</h1>" in shown
        assert "domposedanto" in shown
        assert "<h1>Via konto</h1>" in page(client, "account", accept_language="en")
        client.post(reverse("account_language"), {"language": ""})
        assert "<h1>Your account</h1>" in page(client, "account", accept_language="en")

    def test_only_what_is_spoken_can_be_chosen(self, as_user: AsUser, bob: User) -> None:
        answer = as_user(bob).post(reverse("account_language"), {"language": "fr"})
        assert answer.status_code == 200
        bob.refresh_from_db()
        assert bob.language == ""
        with pytest.raises(ValidationError, match="no language that Wattdesk speaks"):
            mutations.update_user(user=bob, by=bob, language="fr")

    def test_strangers_choose_nothing(self, db: None, client: Client) -> None:
        assert client.post(reverse("account_language"), {"language": "eo"}).status_code == 302
        assert not User.objects.exclude(language="").exists()

    def test_a_language_that_went_away_is_english(self, as_user: AsUser, bob: User) -> None:
        User.objects.filter(pk=bob.pk).update(language="fr")
        assert "<h1>Your account</h1>" in page(as_user(bob), "account", accept_language="en")

    def test_the_admin_is_english_for_all(self, as_user: AsUser, alice: User) -> None:
        mutations.update_user(user=alice, by=alice, language="eo")
        assert 'lang="en"' in page(as_user(alice), "admin:index", accept_language="eo")

    def test_mails_are_in_the_language_on_record(self, bob: User, mailoutbox: list[EmailMessage]) -> None:
        links.send_reset(user=bob)
        mutations.update_user(user=bob, by=bob, language="eo")
        links.send_reset(user=bob)
        assert [mail.subject for mail in mailoutbox] == ["Set a new Wattdesk password", "Nova pasvorto"]

    def test_what_a_page_refreshes_is_remembered_for_each_language(
        self, as_user: AsUser, bob: User, house_a: House
    ) -> None:
        address, client = reverse("house_live", args=[house_a.pk]), as_user(bob)
        live.forget()
        english = client.get(address, headers={"accept-language": "en"})
        other = client.get(address, headers={"accept-language": "eo", "if-none-match": english["ETag"]})
        assert other.status_code == 200
        assert other["ETag"] != english["ETag"]
        with translation.override("eo"):
            assert words.plainly(Kind.OFFLINE, "") == "Ĉi tiu domo ne estas konektita"


def pages() -> list[str]:
    """The templates whose texts are for people in their language."""
    found = (str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.*"))
    return sorted(name for name in found if not name.startswith(ENGLISH))


def unmarked(source: str) -> list[str]:
    """The texts of a template that nobody can translate, between tags and in attributes that are read out."""
    bare, marked = [], False
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            kind = token.contents.split()[0]
            marked = kind == "blocktranslate" or (marked and kind != "endblocktranslate")
            bare.append("\0")
        elif token.token_type == TokenType.TEXT and not marked:
            bare.append(token.contents)
        elif token.token_type == TokenType.VAR:
            bare.append("\0")
    html = re.sub(r"<!--.*?-->", "", "".join(bare), flags=re.DOTALL)
    read_out = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', html)
    between = re.sub(r"<[^>]*>", "\0", html).split("\0")
    texts = [text.strip() for text in (*between, *read_out)]
    return [text for text in texts if set(re.findall(r"[^\W\d_]{2,}", text)) - NAMES]


@pytest.mark.parametrize("name", pages())
def test_every_text_of_a_page_can_be_translated(name: str) -> None:
    assert unmarked((TEMPLATES / name).read_text()) == []
    engines["django"].get_template(name)


@pytest.mark.parametrize(
    "source",
    ["<p>Hello</p>", '<p aria-label="Hello">', "{% if a %}Hello{% endif %}", "<b>{{ a }} is here</b>"],
)
def test_a_text_that_is_not_marked_is_found(source: str) -> None:
    assert unmarked(source) != []


def test_a_text_that_is_marked_is_fine() -> None:
    source = '<p title="{% translate "A" %}">{% blocktranslate %}Hi {{ b }}{% endblocktranslate %} kW {{ c }}'
    assert unmarked(source) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xgettext") is None, reason="The GNU gettext tools are not installed")
def test_the_tools_find_the_texts_of_templates_and_of_python(tmp_path: Path) -> None:
    root = Path(django_settings.BASE_DIR)
    for folder in ("apps", "templates"):
        shutil.copytree(root / folder, tmp_path / folder)
    (tmp_path / "locale").mkdir()
    command = ["makemessages", "-l", "eo", "--ignore", "templates/admin/*"]
    bare = {"PATH": os.environ["PATH"]}  # with our settings it would write into our own folder
    subprocess.run([sys.executable, "-m", "django", *command], cwd=tmp_path, env=bare, check=True)
    catalogue = (tmp_path / "locale" / "eo" / "LC_MESSAGES" / "django.po").read_text()
    for text in ("Skip to content", "Homeowner", "This house is not connected", "Self-consumption"):
        assert f'msgid "{text}"' in catalogue
