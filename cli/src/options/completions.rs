//! Completion scripts, in the single-dash spelling.
//!
//! bash: after an option that takes a file, the shell's own file completion (an empty answer with
//! `-o default`). zsh: `_arguments`. fish: `complete -o` (old-style names), `-l` for two dashes.

use super::{
    commands::{COMMANDS, RENDER, command, command_words, options},
    model::Shell,
    row::OptionSpec,
    spec::CommandSpec,
    syntax::Operands,
    takes::Takes,
    topics::TOPICS,
};

/// The completion script for a shell.
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The commands other than a render.
fn commands() -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.into_iter().filter(|spec| spec.name != RENDER.name)
}

/// The words that a command accepts as operands, where they are known.
fn operand_words(spec: &CommandSpec) -> Option<String> {
    match spec.syntax.operands() {
        Operands::None | Operands::Files(_) => None,
        Operands::Choice(words) => Some(words.join(" ")),
        Operands::HelpSubject => {
            let mut words: Vec<_> = COMMANDS.iter().map(|spec| spec.name).collect();
            words.extend(TOPICS.iter().map(|topic| topic.name).filter(|name| command(name).is_none()));
            Some(words.join(" "))
        }
    }
}

/// The spellings of options, each once, between separators.
fn names<'a>(options: impl Iterator<Item = &'a OptionSpec>, separator: &str) -> String {
    let mut names = Vec::new();
    for name in options.flat_map(OptionSpec::spellings) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(separator)
}

const BASH: &str = r#"# bash completion for widebragg
_widebragg() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    # --name=value arrives as three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
    case $prev in
        @FILES@)
            return ;;
@CHOICES@        @NUMBERS@)
            compopt +o default 2>/dev/null
            return ;;
    esac
    case ${COMP_WORDS[1]} in
@COMMAND_CASES@    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "@RENDER@" -- "$cur"))
    elif [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "@COMMANDS@" -- "$cur"))
    fi
}
complete -o default -F _widebragg widebragg
"#;

fn bash() -> String {
    let mut choices: Vec<(&[&str], Vec<&OptionSpec>)> = Vec::new();
    for option in options() {
        let Some(words) = option.takes.words() else { continue };
        match choices.iter_mut().find(|(known, _)| *known == words) {
            Some((_, options)) => options.push(option),
            None => choices.push((words, vec![option])),
        }
    }
    let choices: String = choices
        .into_iter()
        .map(|(words, options)| {
            format!(
                "        {})\n            COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n            \
                 compopt +o default 2>/dev/null\n            return ;;\n",
                names(options.into_iter(), "|"),
                words.join(" ")
            )
        })
        .collect();
    let is_other = |takes: &Takes| !takes.names_file() && *takes != Takes::Nothing && takes.words().is_none();
    BASH.replace("@FILES@", &names(options().filter(|option| option.takes.names_file()), "|"))
        .replace("@CHOICES@", &choices)
        .replace("@NUMBERS@", &names(options().filter(|option| is_other(&option.takes)), "|"))
        .replace("@COMMAND_CASES@", &commands().map(bash_case).collect::<String>())
        .replace("@RENDER@", &names(RENDER.options(), " "))
        .replace("@COMMANDS@", &command_words().join(" "))
}

/// The case of a command: offers its options, and its operands where they are known words.
fn bash_case(spec: &CommandSpec) -> String {
    let names = names(spec.options(), " ");
    let words = operand_words(spec);
    let takes_files = matches!(spec.syntax.operands(), Operands::Files(_));
    if takes_files || !spec.syntax.render_sections().is_empty() {
        // The shell completes words other than options as files.
        return format!(
            "        {})\n            if [[ $cur == -* ]]; then\n                \
             COMPREPLY=($(compgen -W \"{names}\" -- \"$cur\"))\n            fi\n            return ;;\n",
            spec.name
        );
    }
    let offered = [words.unwrap_or_default(), names].join(" ");
    format!(
        "        {})\n            COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n            \
         compopt +o default 2>/dev/null\n            return ;;\n",
        spec.name,
        offered.trim_start()
    )
}

fn zsh() -> String {
    let specs = |options: &mut dyn Iterator<Item = &'static OptionSpec>| -> String {
        options.flat_map(|option| option.spellings().map(move |name| zsh_spec(option, name))).collect()
    };
    let array = |spec: &CommandSpec| spec.name.replace('-', "_");
    let mut arrays = String::new();
    let mut cases = String::new();
    for spec in commands() {
        let operands = match (spec.syntax.operands(), operand_words(spec)) {
            (Operands::Files(what), _) => format!("        '*:{what}:_files'\n"),
            (_, Some(words)) => format!("        ':word:({words})'\n"),
            _ => String::new(),
        };
        let name = array(spec);
        arrays += &format!("    local -a {name}=(\n{}{operands}    )\n", specs(&mut spec.options()));
        cases += &format!(
            "    elif [[ $words[2] == {} ]]; then\n        \
                 words[1,2]=({})\n        \
                 (( CURRENT-- ))\n        \
                 _arguments ${name}\n",
            spec.name, spec.name
        );
    }
    format!(
        "#compdef widebragg\n\
         # zsh completion for widebragg\n\
         _widebragg() {{\n    \
             local -a render=(\n{render}    )\n\
         {arrays}    \
             if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n        \
                 compadd -- {commands}\n\
         {cases}    \
             else\n        \
                 _arguments $render\n    \
             fi\n\
         }}\n\
         # both as a file in fpath and read with source\n\
         if [[ $funcstack[1] == _widebragg ]]; then\n    _widebragg \"$@\"\nelse\n    compdef _widebragg widebragg\nfi\n",
        render = specs(&mut RENDER.options()),
        commands = command_words().join(" "),
    )
}

/// `'*-name[help]:value:action'`, the star because an option may be repeated.
fn zsh_spec(option: &OptionSpec, name: &str) -> String {
    let values = match option.takes {
        Takes::Nothing => String::new(),
        Takes::Each(names) => names.iter().map(|value| format!(":{value}: ")).collect(),
        Takes::Cell => ":a: ::b: ::c: ::alpha: ::beta: ::gamma: ".to_owned(),
        Takes::Misset => ":rx:(random)::ry: ::rz: ".to_owned(),
        Takes::Depth => ":um:(inf)".to_owned(),
        Takes::File => ":file:_files".to_owned(),
        Takes::Folder => ":folder:_files -/".to_owned(),
        Takes::Program => ":program:_command_names -e".to_owned(),
        Takes::Choice(words) => format!(":word:({})", words.join(" ")),
        Takes::Number(_) | Takes::Integer | Takes::Range | Takes::Names | Takes::Text(_) => {
            format!(":{}: ", option.takes.placeholder().replace(':', "\\:"))
        }
    };
    let equals =
        if option.has_two_dashes() && name.starts_with("--") && !values.is_empty() { "=" } else { "" };
    let help = option
        .description()
        .replace('\\', "\\\\")
        .replace('[', "\\[")
        .replace(']', "\\]")
        .replace(':', "\\:");
    format!("        '*{name}{equals}[{}]{values}'\n", help.replace('\'', "'\\''"))
}

fn fish() -> String {
    let mut script = "# fish completion for widebragg\ncomplete -c widebragg -f\n".to_owned();
    for spec in commands() {
        script.push_str(&format!(
            "complete -c widebragg -n __fish_use_subcommand -a {} -d '{}'\n",
            spec.name,
            fish_text(spec.purpose)
        ));
        let seen = format!("complete -c widebragg -n '__fish_seen_subcommand_from {}'", spec.name);
        if matches!(spec.syntax.operands(), Operands::Files(_)) {
            script.push_str(&format!("{seen} -F\n"));
        }
        if let Some(words) = operand_words(spec) {
            script.push_str(&format!("{seen} -a '{words}'\n"));
        }
    }
    for (option, commands) in with_commands() {
        let place = fish_place(&commands);
        let values = match (option.takes, option.takes.words()) {
            (Takes::Nothing, _) => String::new(),
            (Takes::File | Takes::Program, _) => " -r -F".to_owned(),
            (Takes::Folder, _) => " -x -a '(__fish_complete_directories)'".to_owned(),
            (_, Some(words)) => format!(" -x -a '{}'", words.join(" ")),
            _ => " -x".to_owned(),
        };
        let help = fish_text(&option.description());
        for name in option.spellings() {
            let name = fish_name(name);
            script.push_str(&format!("complete -c widebragg -n '{place}' {name}{values} -d '{help}'\n"));
        }
    }
    script
}

/// All options, each with the names of the commands that have it.
fn with_commands() -> Vec<(&'static OptionSpec, Vec<&'static str>)> {
    let mut all: Vec<(&OptionSpec, Vec<&str>)> = Vec::new();
    for spec in COMMANDS {
        for option in spec.options() {
            match all.iter_mut().find(|(known, _)| *known == option) {
                Some((_, commands)) => commands.push(spec.name),
                None => all.push((option, vec![spec.name])),
            }
        }
    }
    all
}

/// The condition under which an option of these commands is offered.
fn fish_place(with: &[&str]) -> String {
    if !with.contains(&RENDER.name) {
        return format!("__fish_seen_subcommand_from {}", with.join(" "));
    }
    let without: Vec<_> = command_words().into_iter().filter(|name| !with.contains(name)).collect();
    if without.is_empty() {
        return "true".to_owned();
    }
    format!("not __fish_seen_subcommand_from {}", without.join(" "))
}

/// Single letters are old-style names as well, or fish would read `-Na` as two of them.
fn fish_name(name: &str) -> String {
    match name.strip_prefix("--") {
        Some(long) => format!("-l {long}"),
        None => format!("-o {}", name.trim_start_matches('-')),
    }
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
