# What fish offers at TAB after leyden and python train.py. `leyden completion fish install=true` puts it in its place.

function __leyden_complete
    set -l words (commandline -opc)
    if string match -qr '(^|/)python3?$' -- $words[1]
        $words[1] -P -c 'from leyden.cli import main; main()' _complete (commandline -cp) 2>/dev/null
    else
        $words[1] _complete (commandline -cp) 2>/dev/null
    end
end

# Fish adds to what it knows of python: all that is not a train.py of Leyden's stays as it was.
function __leyden_trains
    set -l script (commandline -opc)[2]
    string match -q '*train.py' -- $script
    and test -f (string replace -r 'train\.py$' configs/train.yaml -- $script)
    and grep -qs leyden $script
end

complete -c leyden -f -a '(__leyden_complete)'
for name in python python3
    complete -c $name -n __leyden_trains -f -a '(__leyden_complete)'
end
