//! What `list` prints: a line for each workload, whose first word is its name. Scripts read it.
#![forbid(unsafe_code)]

use trefoil_bench::parameters::Parameter;
use trefoil_bench::workloads::{self, Workload};

/// The list, as a text of lines.
pub(crate) fn list() -> String {
    let head = row("WORKLOAD", "SCENARIO", "WHAT IT DOES", "DEFAULTS");
    let rows = workloads::ALL.into_iter().map(described);
    std::iter::once(head).chain(rows).collect()
}

fn described(workload: &Workload) -> String {
    let defaults: Vec<_> = workload.parameters.iter().map(default).collect();
    row(
        workload.name,
        workload.scenario.name(),
        workload.about,
        &defaults.join(" "),
    )
}

fn default(parameter: &Parameter) -> String {
    let (name, default) = (parameter.name, parameter.default);
    match parameter.on_kernel {
        same if same == default => format!("{name}={default}"),
        other => format!("{name}={default} (kernel {other})"),
    }
}

fn row(name: &str, scenario: &str, about: &str, defaults: &str) -> String {
    format!("{name:<18}{scenario:<24}{about:<66}{defaults}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_begins_with_a_name() {
        let list = list();
        let words: Vec<_> = list
            .lines()
            .skip(1)
            .filter_map(|line| line.split(' ').next())
            .collect();
        let names: Vec<_> = workloads::ALL
            .iter()
            .map(|workload| workload.name)
            .collect();
        assert_eq!(words, names);
    }

    #[test]
    fn columns_do_not_touch() {
        for workload in workloads::ALL {
            let line = described(workload);
            assert!(line.contains(&format!("{}  ", workload.about)), "{line}");
        }
        let threads = Parameter::new("threads", 10, "").on_kernel(5);
        assert_eq!(default(&threads), "threads=10 (kernel 5)");
    }
}
