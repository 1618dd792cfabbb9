"""/docs: the OpenAPI document as one page that fetches nothing from elsewhere."""

import json
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h2{font-size:1rem;margin:1.6rem 0 .2rem}code,pre{font:13px/1.4 ui-monospace,monospace;background:#f3f3f3}"
    "pre{padding:.6rem;overflow:auto}table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}"
    "b{display:inline-block;min-width:4.5rem}"
)
_METHODS: Final = ("get", "post", "put", "delete")


def documentation(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document: each route with its parameters and an example call."""
    info = document["info"]
    routes = [
        _route(path, method, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])} API</title>"
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('description', ''))}</p><p>For programs: <a href=openapi.json>openapi.json</a>.</p>"
        f"{''.join(routes)}</html>"
    )


def _route(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    fields = [
        (p["name"], p.get("description", p["in"]), p.get("required")) for p in operation.get("parameters", [])
    ]
    form = _form(operation, document)
    fields += [(name, value.get("description", ""), name in form[1]) for name, value in form[0].items()]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'*' if needed else ''}<td>{escape(about)}"
        for name, about, needed in fields
    )
    return (
        f"<h2><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}</h2>"
        f"<p>{escape(operation.get('description', ''))}</p><table>{rows}</table>"
        f"<pre>{escape(_curl(path, method, form[0]))}</pre>"
    )


def _form(operation: dict[str, Any], document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        schema = media.get("schema", {})
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema.get("properties", {}), schema.get("required", [])
    return {}, []


def _curl(path: str, method: str, form: dict[str, Any]) -> str:
    url = f"http://127.0.0.1:8000{path.replace('{', '$').replace('}', '')}"
    verb = "" if method == "get" else f" -X {method.upper()}"
    files = [
        name for name, value in form.items() if value.get("format") == "binary" or "contentMediaType" in value
    ]
    if files:
        return f"curl{verb}" + "".join(f" -F {name}=@{name}.nii.gz" for name in files) + f" {url}"
    examples = {name: value["examples"][0] for name, value in form.items() if value.get("examples")}
    body = f" -H 'content-type: application/json' -d '{json.dumps(examples)}'" if examples else ""
    return f"curl{verb}{body} {url}"
