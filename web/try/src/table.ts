/** Two people at one table: who they are, which conversation is shown, and who of them is being looked at. */
import { inWords, Person, type Place } from './person.ts';
import { Store } from './store.ts';

export class Table extends Store {
  readonly people: readonly [Person, Person];
  place: Place = 'direct';
  /** Why there is no group; empty while there may be one. */
  groupProblem = '';
  /** Whom the visitor plays at the moment. */
  active: Person | undefined;

  constructor(alice: Person, bob: Person) {
    super();
    this.people = [alice, bob];
    alice.peerId = bob.userId;
    bob.peerId = alice.userId;
  }

  async open(): Promise<void> {
    const [alice, bob] = this.people;
    await Promise.all([alice.goOnline(), bob.goOnline()]);
    try {
      // Told before anything can arrive from it.
      const id = `table-${alice.userId}`;
      alice.groupId = bob.groupId = id;
      await alice.client.groups.create({ type: 'public', name: 'The table', id, joinOption: 'FreeAccess' });
      await bob.client.groups.join(id);
      await Promise.all([alice.load('group'), bob.load('group')]);
    } catch (problem) {
      this.groupProblem = inWords(problem);
      this.changed();
    }
  }

  show(place: Place): void {
    this.place = place;
    this.active?.look(place);
    this.changed();
  }

  attend(person: Person | undefined): void {
    if (this.active === person) return;
    this.active?.look(undefined);
    this.active = person;
    person?.look(this.place);
    this.changed();
  }

  unread(place: Place): number {
    return this.people.reduce((sum, person) => sum + person.unread(place), 0);
  }
}
