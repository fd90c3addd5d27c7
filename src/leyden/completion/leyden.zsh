#compdef leyden python python3
# What zsh offers at TAB after leyden and python train.py. `leyden completion zsh install=true` puts it in its place.

_leyden() {
    local -a command=(${(Q)words[1]}) found
    if [[ ${words[1]:t} == python* ]]; then
        local script=${(Q)words[2]}
        # All that is not a train.py of Leyden's is left to zsh's own completion of python.
        if (( CURRENT < 3 )) || [[ $script != *train.py || ! -f ${script%train.py}configs/train.yaml ]] ||
            ! grep -qs leyden $script; then
            if (( $+functions[_python] )); then _python "$@"; else _default "$@"; fi
            return
        fi
        command+=(-P -c 'from leyden.cli import main; main()')
    fi
    found=(${(f)"$($command _complete "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)"})
    compadd -S '' -- ${(M)found:#*[=./]}
    compadd -- ${found:#*[=./]}
}

if [[ ${funcstack[1]} == _leyden ]]; then _leyden "$@"; else compdef _leyden leyden python python3; fi
