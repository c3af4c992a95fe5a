// pure

/** The shells that have a completion script. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/**
 * The completion script of a shell, for both names of the program. `kubectl northflank` needs none: kubectl's own
 * completion runs `kubectl_complete-northflank`.
 *
 * A script only asks: `northflank-operator __complete WORDS...` answers as programs on cobra do, one candidate a line, a
 * tab before its description, and at the end a colon and a number whose bit 4 says that no file is meant.
 */
export function completionScript(shell: Shell): string {
  return scripts[shell];
}

// Bash splits words at "=" and ":" too: they are joined again by where blanks are in the line, and of a candidate only what
// follows the last such sign goes back. It runs on bash 3.2, which macOS has: without mapfile, compopt and negative indexes.
const bash = `# bash completion for northflank-operator. Load it with: source <(northflank-operator completion bash)
_northflank_operator() {
  local rest=\${COMP_LINE:0:COMP_POINT} last=0 index piece trimmed current head value directive=0
  local -a line=("")
  COMPREPLY=()
  for ((index = 0; index <= COMP_CWORD; index++)); do
    piece=\${COMP_WORDS[index]}
    trimmed=\${rest#"\${rest%%[![:space:]]*}"}
    if ((\${#trimmed} < \${#piece})); then piece=$trimmed; fi
    if ((index > 0)) && [[ $trimmed != "$rest" ]]; then last=$((last + 1)); fi
    line[last]+=$piece
    rest=\${trimmed#"$piece"}
  done
  current=\${line[last]}
  case $piece in
    "" | *[!=:]*) head=\${current%"$piece"} ;;
    *) head=$current ;;
  esac
  while IFS=$'\\t' read -r value _; do
    case $value in
      :[0-9]*) directive=\${value#:} ;;
      "$current"?* | "$current")
        if [[ -n $value ]]; then
          printf -v value %q "\${value#"$head"}"
          COMPREPLY+=("$value")
        fi
        ;;
    esac
  done < <("\${1/#\\~/$HOME}" __complete "\${line[@]:1}" 2>/dev/null)
  if ((\${#COMPREPLY[@]} == 0 && (directive & 4) == 0)); then compopt -o default 2>/dev/null; fi
}
complete -F _northflank_operator northflank-operator kubectl-northflank
`;

const zsh = `#compdef northflank-operator kubectl-northflank
# zsh completion for northflank-operator. Load it with: source <(northflank-operator completion zsh)
_northflank_operator() {
  local line directive=0
  local -a candidates
  for line in "\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :[0-9]*) directive=\${line#:} ;;
      ?*) candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done
  if ((\${#candidates})); then
    _describe -t values northflank-operator candidates
  elif (((directive & 4) == 0)); then
    compset -P '*='
    _files
  fi
}
if [[ \${funcstack[1]} == _northflank_operator ]]; then
  _northflank_operator "$@"
else
  compdef _northflank_operator northflank-operator kubectl-northflank
fi
`;

const fish = `# fish completion for northflank-operator. Load it with: northflank-operator completion fish | source
function __northflank_operator_complete
  set -l line (commandline -opc)
  set -l current (commandline -ct)
  set -l found 0
  set -l directive 0
  for each in (command $line[1] __complete $line[2..-1] "$current" 2>/dev/null)
    if string match -qr '^:[0-9]' -- $each
      set directive (string sub -s 2 -- $each)
    else
      set found 1
      printf '%s\\n' $each
    end
  end
  if test $found -eq 0 -a (math "bitand($directive, 4)") -eq 0
    set -l flag (string match -r '^--?[^=]+=' -- "$current")
    set -l path (string sub -s (math 1 + (string length -- "$flag")) -- "$current")
    for each in (__fish_complete_path "$path")
      printf '%s\\n' "$flag$each"
    end
  end
end
complete -c northflank-operator -f -a '(__northflank_operator_complete)'
complete -c kubectl-northflank -f -a '(__northflank_operator_complete)'
`;

const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
