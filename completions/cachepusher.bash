# Completion for bash. Commands, options and settings are asked of the program itself.

_cachepusher() {
    local program=$1 word=$2 before=$3
    local command=${COMP_WORDS[1]} help words
    COMPREPLY=()
    case $before in
    --config | --log-file | --pidfile)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
    if ((COMP_CWORD == 1)); then
        help=$("$program" --help 2>/dev/null)
        words=$(sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p' <<<"$help")$'\n--help\n--version'
    elif [[ $before == --set ]]; then
        help=$("$program" "$command" --help --all 2>/dev/null)
        words=$(sed -n 's/^      \([a-z_]\{1,\}\)=.*/\1=/p' <<<"$help")
        compopt -o nospace 2>/dev/null
    else
        help=$("$program" "$command" --help --all 2>/dev/null)
        words=$(grep -o -- '^  \(-[a-z], \)\?--[a-z-]*' <<<"$help" | sed 's/.* //')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _cachepusher cachepusher
