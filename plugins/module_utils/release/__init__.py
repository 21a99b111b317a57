# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases of Python services: what they are made of (on the controller), and how a host takes them over."""
