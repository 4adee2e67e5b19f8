//! Completion scripts, in the single-dash spelling.
//!
//! bash: after an option that takes a file, the shell's own file completion (an empty answer with `-o default`). zsh:
//! `_arguments`. fish: `complete -o` (old-style names), `-l` for two dashes.

use super::{
    model::Shell,
    row::{Row, Scope, Takes},
    table::{COMMANDS, rows},
};

/// The completion script for a shell.
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

fn commands() -> String {
    COMMANDS.map(|(name, _, _)| name).join(" ")
}

/// The spellings of all options of a scope that pass, between separators.
fn names(scope: Scope, separator: &str, pass: impl Fn(&Row) -> bool) -> String {
    let names: Vec<_> =
        rows().filter(|row| row.scope.covers(scope) && pass(row)).flat_map(|row| row.spellings()).collect();
    names.join(separator)
}

fn is_file(row: &Row) -> bool {
    matches!(row.takes, Takes::File | Takes::Folder | Takes::Program)
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
        completions)
            COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur"))
            compopt +o default 2>/dev/null
            return ;;
        bench)
            COMPREPLY=($(compgen -W "@BENCH@" -- "$cur"))
            compopt +o default 2>/dev/null
            return ;;
        demo)
            COMPREPLY=($(compgen -W "@DEMO@" -- "$cur"))
            compopt +o default 2>/dev/null
            return ;;
@OTHERS@    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "@RENDER@" -- "$cur"))
    elif [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "@COMMANDS@" -- "$cur"))
    fi
}
complete -o default -F _widebragg widebragg
"#;

fn bash() -> String {
    let choices: String = rows()
        .filter_map(|row| {
            let words = choice_words(row)?;
            let names: Vec<_> = row.spellings().collect();
            let names = names.join("|");
            Some(format!(
                "        {names})\n            COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\"))\n            \
                 compopt +o default 2>/dev/null\n            return ;;\n"
            ))
        })
        .collect();
    let takes_number =
        |row: &Row| !is_file(row) && !matches!(row.takes, Takes::Nothing) && choice_words(row).is_none();
    let anywhere = |pass: &dyn Fn(&Row) -> bool| {
        let names: Vec<_> = rows().filter(|row| pass(row)).flat_map(Row::spellings).collect();
        names.join("|")
    };
    // Commands whose words may be files.
    let others = Scope::COMMANDS.iter().filter(|(_, scope)| !Scope::DEMO.and(Scope::BENCH).covers(*scope));
    let others: String = others
        .map(|(name, scope)| {
            format!(
                "        {name})\n            if [[ $cur == -* ]]; then\n                \
                 COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n            fi\n            return ;;\n",
                names(*scope, " ", |_| true)
            )
        })
        .collect();
    BASH.replace("@FILES@", &anywhere(&is_file))
        .replace("@CHOICES@", &choices)
        .replace("@NUMBERS@", &anywhere(&takes_number))
        .replace("@DEMO@", &names(Scope::DEMO, " ", |_| true))
        .replace("@OTHERS@", &others)
        .replace("@BENCH@", &names(Scope::BENCH, " ", |_| true))
        .replace("@RENDER@", &names(Scope::RENDER, " ", |_| true))
        .replace("@COMMANDS@", &commands())
}

/// The words that can follow, where they are known.
fn choice_words(row: &Row) -> Option<String> {
    match row.takes {
        Takes::Choice(words) => Some(words.join(" ")),
        Takes::Misset => Some("random".to_owned()),
        Takes::Depth => Some("inf".to_owned()),
        _ => None,
    }
}

fn zsh() -> String {
    let specs = |scope: Scope| -> String {
        let of_scope = rows().filter(|row| row.scope.covers(scope));
        of_scope.flat_map(|row| row.spellings().map(move |name| zsh_spec(row, name))).collect()
    };
    let array = |name: &str| name.replace('-', "_");
    let arrays: Vec<String> = Scope::COMMANDS.iter().map(|(name, _)| array(name)).collect();
    let options: String = Scope::COMMANDS
        .iter()
        .map(|(name, scope)| {
            let words = match *scope {
                Scope::COMPARE => "        '*:image:_files'\n",
                Scope::TRACE_DIFF => "        '*:trace:_files'\n",
                _ => "",
            };
            format!("    {}=(\n{}{words}    )\n", array(name), specs(*scope))
        })
        .collect();
    let cases: String = Scope::COMMANDS
        .iter()
        .map(|(name, _)| {
            format!(
                "    elif [[ $words[2] == {name} ]]; then\n        \
                     words[1,2]=({name})\n        \
                     (( CURRENT-- ))\n        \
                     _arguments ${}\n",
                array(name)
            )
        })
        .collect();
    format!(
        "#compdef widebragg\n\
         # zsh completion for widebragg\n\
         _widebragg() {{\n    \
             local -a render {arrays}\n    \
             render=(\n{render}    )\n\
         {options}    \
             if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n        \
                 compadd -- {commands}\n    \
             elif [[ $words[2] == completions ]]; then\n        \
                 compadd -- bash zsh fish\n\
         {cases}    \
             elif [[ $words[2] != man ]]; then\n        \
                 _arguments $render\n    \
             fi\n\
         }}\n\
         # both as a file in fpath and read with source\n\
         if [[ $funcstack[1] == _widebragg ]]; then\n    _widebragg \"$@\"\nelse\n    compdef _widebragg widebragg\nfi\n",
        arrays = arrays.join(" "),
        render = specs(Scope::RENDER),
        commands = commands(),
    )
}

/// `'*-name[help]:value:action'`, the star because an option may be repeated.
fn zsh_spec(row: &Row, name: &str) -> String {
    let values = match row.takes {
        Takes::Nothing => String::new(),
        Takes::Each(names) => names.iter().map(|value| format!(":{value}: ")).collect(),
        Takes::Cell => ":a: ::b: ::c: ::alpha: ::beta: ::gamma: ".to_owned(),
        Takes::Misset => ":rx:(random)::ry: ::rz: ".to_owned(),
        Takes::Depth => ":um:(inf)".to_owned(),
        Takes::File => ":file:_files".to_owned(),
        Takes::Folder => ":folder:_files -/".to_owned(),
        Takes::Program => ":program:_command_names -e".to_owned(),
        Takes::Choice(words) => format!(":word:({})", words.join(" ")),
        Takes::Number(_) | Takes::Integer | Takes::Range | Takes::Names => {
            format!(":{}: ", row.takes.shown().replace(':', "\\:"))
        }
    };
    let equals = if row.has_two_dashes() && name.starts_with("--") && !values.is_empty() { "=" } else { "" };
    let help =
        row.described().replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    format!("        '*{name}{equals}[{}]{values}'\n", help.replace('\'', "'\\''"))
}

fn fish() -> String {
    let mut script = "# fish completion for widebragg\ncomplete -c widebragg -f\n".to_owned();
    for (name, _, what) in COMMANDS {
        script.push_str(&format!(
            "complete -c widebragg -n __fish_use_subcommand -a {name} -d '{}'\n",
            fish_text(what)
        ));
    }
    script
        .push_str("complete -c widebragg -n '__fish_seen_subcommand_from completions' -a 'bash zsh fish'\n");
    script.push_str("complete -c widebragg -n '__fish_seen_subcommand_from compare trace-diff' -F\n");
    for row in rows() {
        let place = fish_place(row.scope);
        let values = match (&row.takes, choice_words(row)) {
            (Takes::Nothing, _) => String::new(),
            (Takes::File | Takes::Program, _) => " -r -F".to_owned(),
            (Takes::Folder, _) => " -x -a '(__fish_complete_directories)'".to_owned(),
            (_, Some(words)) => format!(" -x -a '{words}'"),
            _ => " -x".to_owned(),
        };
        for name in row.spellings() {
            let help = fish_text(&row.described());
            script.push_str(&format!(
                "complete -c widebragg -n '{place}' {}{values} -d '{help}'\n",
                fish_name(name)
            ));
        }
    }
    script
}

/// The condition under which an option is offered.
fn fish_place(scope: Scope) -> String {
    let commands = Scope::COMMANDS.iter();
    if scope.covers(Scope::RENDER) {
        let others = commands.filter(|(_, other)| !scope.covers(*other)).map(|(name, _)| *name);
        let others: Vec<_> = others.chain(["completions", "man"]).collect();
        return format!("not __fish_seen_subcommand_from {}", others.join(" "));
    }
    let own: Vec<_> = commands.filter(|(_, own)| scope.covers(*own)).map(|(name, _)| *name).collect();
    format!("__fish_seen_subcommand_from {}", own.join(" "))
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
