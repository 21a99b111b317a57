# Managed by art32.server.base: what people make here is not for others to read.
umask 027
