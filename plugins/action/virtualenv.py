# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask for the virtualenv of a host's people."""

from __future__ import annotations

from ansible_collections.art32.server.plugins.plugin_utils.surveyed import ModuleAction


class ActionModule(ModuleAction):
    """Runs the module, or has a survey ask for it."""

    MODULE = "virtualenv"
