#!/bin/sh
# Makes the database the first time, in a folder beside its own that is renamed when it is complete, and becomes the server.
set -eu
home=/var/lib/postgresql/18
data=$home/docker
if [ ! -d "$data" ]; then
  mkdir -p "$home"
  rm -rf "$home/unfinished"
  initdb -D "$home/unfinished" -U postgres -A scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
    --pwfile="${POSTGRES_PASSWORD_FILE:?POSTGRES_PASSWORD_FILE is not set: name the file that holds the password of the superuser.}" >/dev/null
  echo 'host all all all scram-sha-256' >> "$home/unfinished/pg_hba.conf"
  mv "$home/unfinished" "$data"
fi
shift
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
