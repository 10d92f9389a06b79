//! A transcript as it is written.

use std::fs;
use std::path::Path;

pub struct Page {
    pub parts: Vec<Part>,
}

pub enum Part {
    /// What is only read.
    Prose(String),
    /// `<!-- … -->`: what happens meanwhile.
    Direction(String),
    /// A block that says after its language what file it is.
    File { name: String, text: String },
    /// `$ …` in a block of `console`, and what is printed.
    Typed { command: String, printed: String },
}

impl Page {
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut parts = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            match line.strip_prefix("```") {
                Some("console") => console(&mut lines, &mut parts),
                Some(fence) if fence.contains(' ') => {
                    let name = fence.split_once(' ').expect("a language and a name").1.to_owned();
                    let text = lines.by_ref().take_while(|line| *line != "```");
                    let text = text.map(|line| format!("{line}\n")).collect();
                    parts.push(Part::Prose(format!("{line}\n")));
                    parts.push(Part::File { name, text });
                    parts.push(Part::Prose("```\n".to_owned()));
                }
                _ => {
                    let direction = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                    parts.push(match direction {
                        Some(direction) => Part::Direction(direction.to_owned()),
                        None => Part::Prose(format!("{line}\n")),
                    });
                }
            }
        }
        Page { parts }
    }

    /// As it is written.
    pub fn written(&self) -> String {
        let mut text = String::new();
        let mut in_console = false;
        for part in &self.parts {
            let is_typed = matches!(part, Part::Typed { .. });
            if is_typed != in_console {
                text += if is_typed { "```console\n" } else { "```\n" };
                in_console = is_typed;
            }
            match part {
                Part::Prose(line) => text += line,
                Part::Direction(direction) => text += &format!("<!-- {direction} -->\n"),
                Part::File { text: file, .. } => text += file,
                Part::Typed { command, printed } => text += &format!("$ {command}\n{printed}"),
            }
        }
        text + if in_console { "```\n" } else { "" }
    }

    pub fn commands(&self) -> Vec<String> {
        let typed = self.parts.iter().filter_map(|part| match part {
            Part::Typed { command, .. } => Some(command.clone()),
            _ => None,
        });
        typed.collect()
    }
}

fn console<'t>(lines: &mut impl Iterator<Item = &'t str>, parts: &mut Vec<Part>) {
    for line in lines.take_while(|line| *line != "```") {
        match (line.strip_prefix("$ "), parts.last_mut()) {
            (Some(command), _) => parts.push(Part::Typed {
                command: command.to_owned(),
                printed: String::new(),
            }),
            (None, Some(Part::Typed { printed, .. })) => *printed += &format!("{line}\n"),
            (None, _) => panic!("a block of `console` begins with a command: {line}"),
        }
    }
}
