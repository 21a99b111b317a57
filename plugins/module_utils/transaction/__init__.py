# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What art32.server.transaction does on the host.

`model` says what is declared, `compare` what differs, `apply` changes it behind an armed revert, `confirm` commits.
`revert` stands alone: it is also installed on the host as art32-revert.
"""
