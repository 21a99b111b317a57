# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an environment needs on AWS: compared with what is there, planned, made, ended."""

from __future__ import annotations

__all__: list[str] = []
