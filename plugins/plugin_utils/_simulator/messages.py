# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: error messages of a Windows that speaks another language than English.

The texts are not Windows's own: they are plausible, hold the names that the English text quotes, and share no sentence with it, so
that a caller that matches English text is found out. Ids and categories are the same in every language (facts 13).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .calls import Record

_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"")

_OTHER = "NotSpecified"
_WARNING = "warning"
_TEXTS: t.Final[Mapping[str, Mapping[str, str]]] = {
    "fr-FR": {
        "InvalidArgument": "Un paramètre n'est pas valide{}.",
        "InvalidData": "Impossible de valider l'argument{}.",
        "InvalidOperation": "L'opération ne peut pas être effectuée tant que l'objet est dans son état actuel{}.",
        "NotSpecified": "L'opération a échoué{}.",
        "ObjectNotFound": "Impossible de trouver l'objet demandé{}.",
        "PermissionDenied": "Vous ne disposez pas de l'autorisation requise pour effectuer cette tâche{}.",
        "ResourceUnavailable": "La ressource n'est pas disponible{}.",
        _WARNING: "L'ordinateur virtuel se trouve déjà dans l'état spécifié{}.",
    },
    "ja-JP": {
        "InvalidArgument": "パラメーターが無効です{}。",
        "InvalidData": "引数を検証できません{}。",
        "InvalidOperation": "オブジェクトの現在の状態では、この操作を実行できません{}。",
        "NotSpecified": "操作に失敗しました{}。",
        "ObjectNotFound": "指定されたオブジェクトが見つかりませんでした{}。",
        "PermissionDenied": "このタスクを完了するために必要なアクセス許可がありません{}。",
        "ResourceUnavailable": "リソースを使用できません{}。",
        _WARNING: "仮想マシンは既に指定された状態になっています{}。",
    },
    "zh-CN": {
        "InvalidArgument": "参数无效{}。",
        "InvalidData": "无法验证参数{}。",
        "InvalidOperation": "对象处于当前状态时无法执行该操作{}。",
        "NotSpecified": "操作失败{}。",
        "ObjectNotFound": "找不到指定的对象{}。",
        "PermissionDenied": "你没有完成此任务所需的权限{}。",
        "ResourceUnavailable": "资源不可用{}。",
        _WARNING: "虚拟机已处于指定的状态{}。",
    },
    "de-DE": {
        "InvalidArgument": "Ein Parameter ist ungültig{}.",
        "InvalidData": "Das Argument kann nicht überprüft werden{}.",
        "InvalidOperation": "Der Vorgang kann nicht ausgeführt werden, während sich das Objekt im aktuellen Zustand befindet{}.",
        "NotSpecified": "Fehler beim Ausführen des Vorgangs{}.",
        "ObjectNotFound": "Das angegebene Objekt wurde nicht gefunden{}.",
        "PermissionDenied": "Sie besitzen nicht die erforderliche Berechtigung für diese Aufgabe{}.",
        "ResourceUnavailable": "Die Ressource ist nicht verfügbar{}.",
        _WARNING: "Der virtuelle Computer befindet sich bereits im angegebenen Zustand{}.",
    },
}
_QUOTES: t.Final[Mapping[str, str]] = {"fr-FR": " : « {} »", "ja-JP": ": 「{}」", "zh-CN": ": \u201c{}\u201d", "de-DE": ": \u201e{}\u201c"}


def localise(language: str, record: Record) -> Record:
    """The record with its message in that language; the runner's own errors are English everywhere."""
    if language not in _TEXTS or record.id.startswith("Hyperlab."):
        return record
    return dataclasses.replace(record, message=_text(language, record.category, record.message))


def localise_warning(language: str, text: str) -> str:
    """A warning in that language."""
    return text if language not in _TEXTS else _text(language, _WARNING, text)


def _text(language: str, kind: str, english: str) -> str:
    names = dict.fromkeys(one or other for one, other in _QUOTED.findall(english))
    texts = _TEXTS[language]
    return texts.get(kind, texts[_OTHER]).format("".join(_QUOTES[language].format(name) for name in names))
