# shellcheck shell=bash
# Debian trees. `debian_mirrors` sets MIRROR and SECURITY_MIRROR: those of this machine, if it is a Debian and debootstrap can
# use them, else Debian's own. DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR override both.

debian_mirrors() {
  local site suite
  MIRROR=${DEBIAN_MIRROR:-} SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-}
  if grep -qx 'ID=debian' /etc/os-release; then
    # shellcheck disable=SC2016
    while read -r site suite; do
      case "$site" in http:* | https:* | file:*) ;; *) continue ;; esac
      case "$suite" in
        *-security) : "${SECURITY_MIRROR:=$site}" ;;
        [a-z]*-*) ;;
        *) : "${MIRROR:=$site}" ;;
      esac
    done < <(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null | sed -n 's/ main$//p')
  fi
  : "${MIRROR:=http://deb.debian.org/debian}" "${SECURITY_MIRROR:=http://deb.debian.org/debian-security}"
}
