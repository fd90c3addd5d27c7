# What bash offers at TAB after leyden and python train.py. `leyden completion bash install=true` puts it in its place.

_leyden() {
    local line=${COMP_LINE:0:COMP_POINT} typed=${COMP_LINE:0:COMP_POINT} kept= word
    local -a command=("$1")
    [[ ${1##*/} == python* ]] && command+=(-P -c "from leyden.cli import main; main()")
    # Bash takes a word apart at each = and : and wants what comes after the last of them, unless in quotes.
    typed=${typed##*[[:space:]]}
    [[ $typed == [\"\']* ]] || kept=${typed%"${typed##*["$COMP_WORDBREAKS"]}"}
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("${word#"$kept"}")
    done < <("${command[@]}" _complete "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=./] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

# All that is not a train.py of Leyden's is left to what completed python before.
_leyden_python() {
    local script=${COMP_WORDS[1]} before=_leyden_before_${1##*/}
    if [[ $COMP_CWORD -gt 1 && $script == *train.py && -f ${script%train.py}configs/train.yaml ]] &&
        grep -qs leyden "$script"; then
        _leyden "$@"
    else
        "${!before}" "$@"
    fi
}

_leyden_setup() {
    local name before own folder
    local -a folders
    # Where bash-completion has found this file in the place of its own for python, its own is still wanted.
    IFS=: read -ra folders <<<"${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:/opt/homebrew/share"
    for folder in ${BASH_COMPLETION_VERSINFO:+"${folders[@]}"}; do
        complete -p python &>/dev/null || . "$folder/bash-completion/completions/python" &>/dev/null
    done
    complete -F _leyden leyden
    for name in python python3; do
        before=$(complete -p "$name" 2>/dev/null) || before="complete -o bashdefault -o default -F : $name"
        if [[ $before == *' -F '* && $before != *_leyden_python* ]]; then
            own=${before#* -F } own=${own%% *}
            printf -v "_leyden_before_$name" %s "$own"
            eval "${before/ -F $own/ -F _leyden_python}"
        fi
    done
}
_leyden_setup
unset -f _leyden_setup
