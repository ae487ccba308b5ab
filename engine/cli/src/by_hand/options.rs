//! The words of commands by hand.

use clap::Args;

#[derive(Debug, Args)]
pub struct EditOptions {
    /// Usage point.
    pub usage_point: String,
    /// Day, YYYY-MM-DD.
    pub day: String,
    /// Start of an interval on the wall clock, and its watt-hours: 14:30=250. Of a time that the clocks showed twice the
    /// instant: 2026-10-25T00:30:00Z=250.
    #[arg(required = true, value_name = "HH:MM=WH")]
    pub values: Vec<String>,
    /// Register.
    #[arg(long, default_value = "1-0:1.8.0")]
    pub obis: String,
    /// Who sets them.
    #[arg(long)]
    pub who: String,
    /// Why, by name or code: manual-edit, meter-fault, estimate-replaced, meter-exchange, settled.
    #[arg(long)]
    pub reason: String,
    /// Zone of the usage point's days. Default: its contract's, else the day's own offset.
    #[arg(long)]
    pub zone: Option<String>,
    /// Say what stands and what would, and record nothing.
    #[arg(long)]
    pub plan: bool,
    /// Do not seal a batch at the end.
    #[arg(long)]
    pub keep_open: bool,
}

#[derive(Debug, Args)]
pub struct ExchangeOptions {
    /// Usage point.
    pub usage_point: String,
    /// Register.
    #[arg(long, default_value = "1-0:1.8.0")]
    pub obis: String,
    /// When, with its offset: 2026-03-14T06:00:00Z.
    #[arg(long)]
    pub at: String,
    /// Number of the meter taken out.
    #[arg(long)]
    pub old_meter: String,
    /// What it showed last, kWh.
    #[arg(long)]
    pub last: String,
    /// Number of the meter put in.
    #[arg(long)]
    pub new_meter: String,
    /// What it showed first, kWh.
    #[arg(long)]
    pub first: String,
    /// Its dials before the point.
    #[arg(long)]
    pub digits: u8,
    /// The factor of its transformers.
    #[arg(long)]
    pub multiplier: String,
    /// Who notes it.
    #[arg(long, default_value = "operator")]
    pub who: String,
    /// Say what would be noted, and record nothing.
    #[arg(long)]
    pub plan: bool,
    /// Do not seal a batch at the end.
    #[arg(long)]
    pub keep_open: bool,
}

#[derive(Debug, Args)]
pub struct ApproveOptions {
    /// What the correction is known by: see `readings pending`.
    pub hash: String,
    /// Who lets it pass.
    #[arg(long)]
    pub who: String,
    /// Zone of the usage point's days. Default: its contract's, else the day's own offset.
    #[arg(long)]
    pub zone: Option<String>,
    /// Do not seal a batch at the end.
    #[arg(long)]
    pub keep_open: bool,
}

#[derive(Debug, Args)]
pub struct RegistersOptions {
    /// Usage point.
    pub usage_point: String,
    /// One register only.
    #[arg(long)]
    pub obis: Option<String>,
}
