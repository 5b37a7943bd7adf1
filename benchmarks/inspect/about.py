"""The page that an inspector carries about itself."""

from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0}pre{overflow-x:auto}"
)
SCORES = {
    "own": "the method's own image score",
    "map_area": "the highest level that a region of the minimum area reaches",
}


def about(facts: Mapping[str, Any]) -> str:
    """HTML from what stands in `inspector.json`."""
    trained, decoding = facts["trained_on"], facts["decoding"]
    height, width = trained["size"]
    held_out = len(facts["held_out_scores"])
    rows = {
        "Method": facts["title"],
        "Fitted to": f"{trained['images']} good images of {trained['category']} ({trained['dataset']}), {width} x {height} pixels, "
        f"fingerprint {trained['fingerprint']}",
        "Members": f"{max(facts['folds']) + 1}, each fitted without the images of its fold",
        "Input": f"{decoding['width']} x {decoding['height']} {decoding['colour']}, {decoding['resample']}, {decoding['fit']}",
        "Score": SCORES[facts["score"]],
        "Minimum area": f"{facts['area']:g} of the image",
        "Threshold": f"{facts['threshold']:.6g}, by the rule {facts['rule']} from {held_out} held-out good images",
        "Made": f"{facts['created']}, revision {facts['revision'][:12]}",
        "Versions": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
    }
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(text))}</td></tr>" for name, text in rows.items())
    title = escape(f"Inspector: {facts['title']} for {trained['category']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1><table>{lines}</table>"
        "<p>Judge new images with this folder:</p><pre>defectbench inspect THIS_FOLDER NEW_IMAGES --out pictures</pre>"
        "</body></html>\n"
    )
