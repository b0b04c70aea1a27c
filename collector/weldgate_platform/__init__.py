"""The authority on people, machines and certificates: a Django project on one folder.

Importing this package imports no Django. `folder` makes and reads the platform's folder, `operation` does what
`weldgate platform` offers; the nouns of the domain are the apps `accounts`, `registry`, `people`, `audit` and
`sheets` (spreadsheets in and out).
"""

__version__ = "0.1.0"
