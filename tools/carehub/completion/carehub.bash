# Completion of `carehub` in bash. What may come next is asked from carehub itself, which knows its commands.
_carehub() {
    local word=${COMP_WORDS[COMP_CWORD]}
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    # Where carehub has nothing to offer, the files of the current directory may be what is meant.
    if [ ${#COMPREPLY[@]} -eq 0 ] && [ "${word#-}" = "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _carehub carehub
