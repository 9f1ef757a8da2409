import { useRef } from 'preact/hooks';

export interface Tab<Name extends string> {
  readonly name: Name;
  readonly label: string;
  /** Shown behind the label if above 0. */
  readonly count: number;
}

interface TabsProps<Name extends string> {
  readonly label: string;
  readonly tabs: readonly Tab<Name>[];
  readonly selected: Name;
  /** Id of the panel that all of them fill. */
  readonly panel: string;
  onSelect(name: Name): void;
}

/** Tabs as screen readers and keyboards know them: one stop of the Tab key, arrows go from one to the next. */
export function Tabs<Name extends string>({ label, tabs, selected, panel, onSelect }: TabsProps<Name>) {
  const list = useRef<HTMLDivElement>(null);

  function move(event: KeyboardEvent) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const index = tabs.findIndex(({ name }) => name === selected);
    const next = (index + step + tabs.length) % tabs.length;
    onSelect(tabs[next]!.name);
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus();
  }

  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(({ name, label, count }) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`${panel}-${name}`}
          aria-selected={name === selected}
          aria-controls={panel}
          tabIndex={name === selected ? 0 : -1}
          onClick={() => onSelect(name)}
        >
          {label}
          {count > 0 && <Badge count={count} />}
        </button>
      ))}
    </div>
  );
}

/** How many messages are unread. */
export function Badge({ count }: { count: number }) {
  return (
    <span class="badge">
      {count}
      <span class="hidden"> unread</span>
    </span>
  );
}
