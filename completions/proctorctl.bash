# bash completion for proctorctl: commands, options, and the ids of children over the bus.

_proctorctl_ids() {
    [[ -z $_proctorctl_away ]] || return # nobody waits for ssh
    proctorctl "${_proctorctl_place[@]}" --no-legend list 2>/dev/null | while read -r id _; do
        [[ $id =~ ^[[:alnum:]._/-]+$ ]] && echo "$id" # compgen -W would carry out anything else
    done
}

_proctorctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i
    local commands='list top tree status pause resume quarantine restart remove add run jobs timers is-active is-failed show cat edit kill wait reload
        reexec events shutdown audit log check convert trace metrics stdio-bridge help'
    local options='--system --user --address= --host= --json= --no-legend --quiet --requested-by= --help
        --version'
    _proctorctl_place=() _proctorctl_away=
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --system | --user) _proctorctl_place+=("${COMP_WORDS[i]}") ;;
        --address) # "=" and ":" are words of their own
            [[ $COMP_LINE =~ --address=([^[:space:]]+) ]] &&
                _proctorctl_place+=("--address=${BASH_REMATCH[1]//[\"\']/}")
            ;;
        -H* | --host) _proctorctl_away=yes ;;
        -*) ;;
        *)
            if [[ -z $command && ${COMP_WORDS[i - 1]} != -H && ${COMP_WORDS[i - 1]} != [=:] && ${COMP_WORDS[i]} != [=:] ]]; then
                command=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done

    case $command in
    pause | resume | quarantine | restart | remove) options+=' --reason= --wait --timeout= --dry-run' ;;
    wait) options+=' --for= --timeout=' ;;
    add) options+=' --reason= --replace --restart --dry-run' ;;
    kill) options+=' --reason=' ;;
    reload) options+=' --reason= --restart --dry-run --wait --timeout=' ;;
    reexec) options+=' --reason= --dry-run' ;;
    shutdown) options+=' --reason= --within= --wait --timeout=' ;;
    run) options+=' --reason= --timeout=' ;;
    list) options+=' --failed' ;;
    edit) options+=' --reason=' ;;
    events) options+=' --follow --since= --after= --kind= --command=' ;;
    audit) options+=' --since= --by= --kind= --command=' ;;
    log) options+=' --follow --lines=' ;;
    trace | convert) options+=' --output=' ;;
    esac

    if [[ $before == = || $word == = ]]; then
        local option=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $word == = ]] && option=$before word=
        case $option in
        --for) COMPREPLY=($(compgen -W 'ready running stopped removed' -- "$word")) ;;
        --host) COMPREPLY=($(compgen -A hostname -- "$word")) ;;
        --json) COMPREPLY=($(compgen -W 'off short pretty' -- "$word")) ;;
        --output) COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
    elif [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    elif [[ $before == -H ]]; then
        COMPREPLY=($(compgen -A hostname -- "$word"))
    elif [[ -z $command ]]; then
        COMPREPLY=($(compgen -W "$commands" -- "$word"))
    else
        case $command in
        list | status | is-active | is-failed | show | cat | edit | pause | resume | quarantine | restart | remove | reload | wait | events | audit | log)
            COMPREPLY=($(compgen -W "$(_proctorctl_ids)" -- "$word"))
            ;;
        kill)
            if [[ $before == kill ]]; then
                COMPREPLY=($(compgen -W "$(_proctorctl_ids)" -- "$word"))
            else
                COMPREPLY=($(compgen -W 'TERM KILL HUP INT USR1 USR2 STOP CONT' -- "$word"))
            fi
            ;;
        add | run | check | convert) COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
    fi
} && complete -F _proctorctl proctorctl
