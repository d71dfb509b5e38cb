//! What the rows hand back and how it is printed: one line a figure, the demanded beside the measured. It must not
//! know how anything was measured.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// An amount of work, how long it took, and the server's CPU seconds for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Images, requests or GB.
    pub work: f64,
    /// Seconds on the wall.
    pub wall: f64,
    /// Seconds of CPU of the server, all threads.
    pub cpu: f64,
}

impl Sample {
    /// Work a second.
    pub fn rate(&self) -> f64 {
        self.work / self.wall
    }

    /// CPU seconds for one piece of work.
    pub fn cpu_each(&self) -> f64 {
        self.cpu / self.work
    }

    /// Several passes of the same work as one: the wall of the median pass, the CPU of their mean.
    pub fn of_passes(passes: &[Sample]) -> Option<Sample> {
        let first = passes.first()?;
        let cpu = passes.iter().map(|pass| pass.cpu).sum::<f64>() / passes.len() as f64;
        Some(Sample { work: first.work, wall: median(passes.iter().map(|pass| pass.wall).collect()), cpu })
    }
}

/// The middle of the values; 0 for none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// One figure of two servers, perhaps of a third thing, and what is demanded.
#[derive(Debug)]
pub struct Line {
    work: String,
    figure: &'static str,
    holdfast: Cell,
    registry: Cell,
    beside: Option<String>,
    demanded: String,
    reached: Option<bool>,
    ratio: Option<f64>,
}

#[derive(Debug)]
struct Cell(Option<(f64, Option<Sample>)>);

/// What a figure must be, for Holdfast.
pub enum Demand {
    /// Nothing: told for comparison.
    Told,
    /// At least this many times docker-registry's.
    TimesRegistry(f64),
    /// At most this part of docker-registry's.
    PartOfRegistry(f64),
    /// At most this, in the figure's unit.
    AtMost(f64),
    /// At least this much, where the figure beside sets it.
    AtLeast(f64, String),
    /// At most this much, where the figure beside sets it.
    AtMostOf(f64, &'static str),
}

impl Line {
    /// A line of `work`; the figure's name ends with its unit.
    pub fn new(work: impl Into<String>, figure: &'static str) -> Line {
        let (holdfast, registry) = (Cell(None), Cell(None));
        let (beside, demanded, reached, ratio) = (None, String::new(), None, None);
        Line { work: work.into(), figure, holdfast, registry, beside, demanded, reached, ratio }
    }

    /// The figures of both servers, each of a sample, whose wall and CPU are printed with it.
    pub fn samples(self, of: [Option<Sample>; 2], figure: impl Fn(&Sample) -> f64) -> Line {
        let [holdfast, registry] =
            of.map(|sample| Cell(sample.map(|sample| (figure(&sample), Some(sample)))));
        Line { holdfast, registry, ..self }
    }

    /// The figures of both servers where there is nothing but the figure.
    pub fn plain(self, of: [Option<f64>; 2]) -> Line {
        let [holdfast, registry] = of.map(|value| Cell(value.map(|value| (value, None))));
        Line { holdfast, registry, ..self }
    }

    /// What stands beside the servers: nginx, or a bare part.
    pub fn beside(self, text: impl Into<String>) -> Line {
        Line { beside: Some(text.into()), ..self }
    }

    /// Compares; must come after the figures.
    pub fn demand(self, demand: &Demand) -> Line {
        let value = self.holdfast.value();
        let both = value.zip(self.registry.value()).filter(|&(_, theirs)| theirs != 0.0);
        let ratio = both.map(|(ours, theirs)| ours / theirs);
        let (demanded, reached) = match *demand {
            Demand::Told => (String::new(), None),
            Demand::TimesRegistry(least) => {
                (format!("≥ {least} × docker-registry"), ratio.map(|ratio| ratio >= least))
            }
            Demand::PartOfRegistry(most) => {
                (format!("≤ {most:.2} × docker-registry"), ratio.map(|ratio| ratio <= most))
            }
            Demand::AtMost(most) => (format!("≤ {}", digits(most)), value.map(|value| value <= most)),
            Demand::AtLeast(least, ref why) => {
                (format!("≥ {} ({why})", digits(least)), value.map(|value| value >= least))
            }
            Demand::AtMostOf(most, why) => {
                (format!("≤ {} ({why})", digits(most)), value.map(|value| value <= most))
            }
        };
        Line { demanded, reached, ratio, ..self }
    }
}

impl Cell {
    fn value(&self) -> Option<f64> {
        self.0.map(|(value, _)| value)
    }

    fn text(&self) -> String {
        match self.0 {
            None => "–".into(),
            Some((value, None)) => format!("**{}**", digits(value)),
            Some((value, Some(sample))) => {
                format!("**{}** ({:.2} s, CPU {:.2} s)", digits(value), sample.wall, sample.cpu)
            }
        }
    }
}

/// Three digits that count, thousands whole.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// The Markdown table.
pub fn render(lines: &[Line]) -> String {
    let mut text = String::from(
        "| work | figure | Holdfast | docker-registry | beside | ratio | demanded | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let reached = match line.reached {
            Some(true) => "yes",
            Some(false) => "**NO**",
            None => "–",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            line.work,
            line.figure,
            line.holdfast.text(),
            line.registry.text(),
            line.beside.as_deref().unwrap_or("–"),
            line.ratio.map_or_else(|| "–".into(), |ratio| format!("{} ×", digits(ratio))),
            if line.demanded.is_empty() { "–" } else { &line.demanded },
            reached,
        );
    }
    text
}

/// Where and with what the run was made; `named` are the programs, `notes` what else a reader must know.
pub fn header(named: &[String], notes: &str, quick: bool) -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    let date =
        date.map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field =
        |name: &str| about.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(": "));
    let model = field("model name").map_or("unknown processor", |(_, model)| model);
    let hashing = if about.contains("sha_ni") || about.contains(" sha2") { "with" } else { "without" };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut text = format!(
        "{date}, {cores} cores ({model}, {hashing} SHA instructions), Linux {}, load before the run {}.\n",
        kernel.trim(),
        load.join(" "),
    );
    for name in named {
        let _ = write!(text, "{name}; ");
    }
    let settings: Vec<String> = std::env::vars()
        .filter(|(key, _)| key.starts_with("HOLDFAST_") && key != "HOLDFAST_BIN")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let settings = if settings.is_empty() { "Holdfast as it comes".into() } else { settings.join(" ") };
    let _ = writeln!(text, "{settings}.");
    let _ = write!(
        text,
        "A cell gives the figure, then the seconds on the wall and the server's CPU seconds (user and system, all \
         threads) of the measured work. {notes}"
    );
    if quick {
        text.push_str(" **Quick run: less of everything, not for the record.**");
    }
    text
}
