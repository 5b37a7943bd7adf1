"""Pages of the documentation that are made, not written: one for each method, and the columns of leaderboard.csv."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from benchmarks.config.catalogue import method_names
from benchmarks.report.method_pages import index_page, method_page
from benchmarks.store.columns import schema_page


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The methods' pages in the navigation."""
    pages = ["methods.md", *(f"methods/{name}.md" for name in method_names())]
    config.nav = [*(config.nav or []), {"Methods": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages to the written ones."""
    made = {"methods.md": index_page(), "leaderboard.md": schema_page()}
    made |= {f"methods/{name}.md": method_page(name) for name in method_names()}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files
