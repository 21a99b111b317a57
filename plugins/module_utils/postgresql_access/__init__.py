# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may do what in a PostgreSQL cluster: declared (declaration), read and written (server), compared (plan)."""

from __future__ import annotations
