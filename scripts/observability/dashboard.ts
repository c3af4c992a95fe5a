import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { type PanelSpec, type QuerySpec, type RowSpec, rows } from "./panels.ts";

/** The data source that is chosen at the top of the dashboard. */
const datasource = { type: "prometheus", uid: "$datasource" };

const heights = { stat: 4, time: 8, stack: 8, table: 8 } satisfies Record<PanelSpec["view"], number>;
const units = {
  seconds: "s",
  share: "percentunit",
  perSecond: "cps",
  bytes: "bytes",
  time: "dateTimeFromNow",
} satisfies Record<NonNullable<PanelSpec["unit"]>, string>;

/** The dashboard as Grafana imports it. Its uid is stable: a new version replaces the old one. */
export function dashboard(): Dashboard {
  const builder = new DashboardBuilder("Northflank operator")
    .uid("northflank-operator")
    .description("Is it working? Who waits? Where does the quota go? What is slow?")
    .tags(["northflank", "kubernetes", "operator"])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .refresh("30s")
    .time({ from: "now-3h", to: "now" })
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(jobVariable());
  let id = 0;
  const nextId = () => {
    id += 1;
    return id;
  };
  for (const row of rows) addRow(builder, row, nextId);
  return builder.build();
}

function jobVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder("job")
    .label("Installation")
    .datasource(datasource)
    .query("label_values(northflank_operator_build_info, job)")
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".+")
    .current({ text: "All", value: "$__all" });
}

function addRow(builder: DashboardBuilder, { question, panels }: RowSpec, nextId: () => number): void {
  builder.withRow(new RowBuilder(question).id(nextId()));
  for (const panel of panels) builder.withPanel(panelOf(panel, nextId()));
}

function panelOf(spec: PanelSpec, id: number): Builder<Panel> {
  const builder = viewOf(spec)
    .id(id)
    .title(spec.title)
    .description(spec.about)
    .datasource(datasource)
    .span(spec.width)
    .height(heights[spec.view]);
  spec.queries.forEach((query, index) => {
    builder.withTarget(queryOf(spec, query, index));
  });
  if (spec.unit !== undefined) builder.unit(units[spec.unit]);
  if (spec.none !== undefined) builder.noValue(spec.none);
  const thresholds = thresholdsOf(spec);
  if (thresholds.length > 1) {
    builder.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...thresholds]));
  }
  return builder;
}

function viewOf(spec: PanelSpec): StatBuilder | TableBuilder | TimeseriesBuilder {
  switch (spec.view) {
    case "stat":
      return new StatBuilder()
        .colorMode(BigValueColorMode.Background)
        .graphMode(BigValueGraphMode.None)
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
    case "table":
      // Without the time, which is that of the query; the value last.
      return new TableBuilder().withTransformation({
        id: "organize",
        options: { excludeByName: { Time: true }, renameByName: { Value: "value", spender: "namespace" } },
      });
    default:
      return timeseries(spec);
  }
}

function timeseries(spec: PanelSpec): TimeseriesBuilder {
  const builder = new TimeseriesBuilder()
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .min(0);
  if (spec.unit === "share") builder.max(1);
  if (spec.red !== undefined) {
    builder.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Line));
  }
  if (spec.view === "stack") {
    builder.stacking(new common.StackingConfigBuilder().mode(StackingMode.Normal)).fillOpacity(30);
  }
  return builder;
}

function queryOf(spec: PanelSpec, { expr, legend }: QuerySpec, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .datasource(datasource)
    .expr(expr)
    .refId(String.fromCharCode("A".charCodeAt(0) + index));
  if (legend !== undefined) query.legendFormat(legend);
  if (spec.view === "table") return query.instant().format(PromQueryFormat.Table);
  return spec.view === "stat" ? query.instant() : query.range();
}

/** The first step is what holds below all others. */
function thresholdsOf({ yellow, red, isLowBad = false }: PanelSpec): readonly Threshold[] {
  const base = isLowBad ? [[null, red === undefined ? "yellow" : "red"] as const] : [[null, "green"] as const];
  const steps = isLowBad
    ? [[red, yellow === undefined ? "green" : "yellow"] as const, [yellow, "green"] as const]
    : [[yellow, "yellow"] as const, [red, "red"] as const];
  return [...base, ...steps].flatMap(([value, color]) => (value === undefined ? [] : [{ value, color }]));
}
