"""`nox -s pictures`: pictures of pages, made from the built-in dataset, which our own code draws. The only pictures in git.

What follows `--` goes to `defectbench choose`, such as `--weights FILE` where there is no network.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1180, 720
COLOURS = 96  # a page has few: a palette makes the file a third


def defectbench(folder: Path, *words: str) -> None:
    subprocess.run(["defectbench", *words], cwd=folder, check=True)


def screenshot(page: Path, picture: Path) -> None:
    """The top of a page, as a small PNG."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is missing (Debian: apt-get install chromium).")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=picture)
        browser.close()
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    defectbench(folder, "run", "experiment=quickstart")
    defectbench(folder, "report", "--results", "results/quickstart")
    screenshot(folder / "results" / "quickstart" / "report" / "report.html", HERE / "report.png")
    bottle = next(folder.glob("data/synthetic/*/bottle"))
    defectbench(folder, "choose", str(bottle), "--minutes", "5", "--out", "results/choose", *sys.argv[1:])
    screenshot(folder / "results" / "choose" / "choose.html", HERE / "choose.png")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
