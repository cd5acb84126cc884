# fish completion for proctorctl: commands, options, and the ids of children over the bus.

function __proctorctl_ids
    set -l place (string match -r -- '^--(?:system|user|address=.*)$' (commandline -opc))
    proctorctl $place --no-legend list 2>/dev/null | string replace -r ' .*' ''
end

set -l with_ids list status pause resume quarantine restart remove kill wait events audit log
set -l with_files add run check
set -l verbs pause resume quarantine restart remove
complete -c proctorctl -f
complete -c proctorctl -n __fish_use_subcommand -a list -d 'the children, one a line'
complete -c proctorctl -n __fish_use_subcommand -a top -d 'all of them, live'
complete -c proctorctl -n __fish_use_subcommand -a tree -d 'the same as they hang together'
complete -c proctorctl -n __fish_use_subcommand -a status -d 'why it runs or not, and what it last did'
complete -c proctorctl -n __fish_use_subcommand -a pause -d 'stop it until it is resumed'
complete -c proctorctl -n __fish_use_subcommand -a resume -d 'end a pause or a quarantine'
complete -c proctorctl -n __fish_use_subcommand -a quarantine -d 'stop it, and let nothing start it'
complete -c proctorctl -n __fish_use_subcommand -a restart -d 'stop it and start its next generation'
complete -c proctorctl -n __fish_use_subcommand -a remove -d 'stop it and forget it'
complete -c proctorctl -n __fish_use_subcommand -a add -d 'declare a child or a supervisor'
complete -c proctorctl -n __fish_use_subcommand -a run -d 'run a job and print its result'
complete -c proctorctl -n __fish_use_subcommand -a jobs -d 'the jobs, one a line'
complete -c proctorctl -n __fish_use_subcommand -a kill -d 'send a signal to its main process'
complete -c proctorctl -n __fish_use_subcommand -a wait -d 'until it is ready, running, stopped or removed'
complete -c proctorctl -n __fish_use_subcommand -a reload -d 'read the manifests again'
complete -c proctorctl -n __fish_use_subcommand -a reexec -d 'replace proctord by the one on disk'
complete -c proctorctl -n __fish_use_subcommand -a events -d 'what has happened'
complete -c proctorctl -n __fish_use_subcommand -a shutdown -d 'end the tree'
complete -c proctorctl -n __fish_use_subcommand -a audit -d 'who did what, and why'
complete -c proctorctl -n __fish_use_subcommand -a log -d 'what a child has written'
complete -c proctorctl -n __fish_use_subcommand -a check -d 'what is wrong with manifests'
complete -c proctorctl -n __fish_use_subcommand -a trace -d 'the journal, for proctor-sim replay'
complete -c proctorctl -n __fish_use_subcommand -a metrics -d 'OpenMetrics'
complete -c proctorctl -n __fish_use_subcommand -a help -d 'how a command is used'
complete -c proctorctl -n "__fish_seen_subcommand_from $with_ids" -a '(__proctorctl_ids)'
complete -c proctorctl -n "__fish_seen_subcommand_from $with_files" -F
complete -c proctorctl -l system -d 'the system bus'
complete -c proctorctl -l user -d 'the session bus'
complete -c proctorctl -l address -x -d 'the bus at an address'
complete -c proctorctl -l json -x -a 'off short pretty' -d 'as JSON'
complete -c proctorctl -l no-legend -d 'no heading'
complete -c proctorctl -l quiet -d 'say nothing that is as it should be'
complete -c proctorctl -l requested-by -x -d 'in whose name'
complete -c proctorctl -l help -d 'how it is used'
complete -c proctorctl -l version -d 'which proctorctl this is'
complete -c proctorctl -l reason -x -d 'why; kept with the child'
complete -c proctorctl -n "__fish_seen_subcommand_from $verbs shutdown" -l wait -d 'until the effect is complete'
complete -c proctorctl -n "__fish_seen_subcommand_from $verbs shutdown run wait" -l timeout -x -d 'of --wait, run and wait: for so long'
complete -c proctorctl -n '__fish_seen_subcommand_from wait' -l for -x -a 'ready running stopped removed' -d 'until it is so'
complete -c proctorctl -n "__fish_seen_subcommand_from $verbs reload reexec" -l dry-run -d 'only say what would happen'
complete -c proctorctl -n '__fish_seen_subcommand_from events audit' -l since -x -d 'from then on'
complete -c proctorctl -n '__fish_seen_subcommand_from events audit' -l command -x -d 'only what that command brought about'
complete -c proctorctl -n '__fish_seen_subcommand_from events audit' -l kind -x -d 'of events'
complete -c proctorctl -n '__fish_seen_subcommand_from audit' -l by -x -d 'whose commands'
complete -c proctorctl -n '__fish_seen_subcommand_from events log' -s f -l follow -d 'go on as more comes'
complete -c proctorctl -n '__fish_seen_subcommand_from log' -s n -l lines -x -d 'so many lines'
complete -c proctorctl -n '__fish_seen_subcommand_from trace' -s o -l output -r -F -d 'into a file'
